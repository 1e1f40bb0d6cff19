package relaylist

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/types/key"
)

type dialer = func(...func(*derphttp.Client)) *peer

// Packets come to their addressee and nobody else; an empty one, the largest one, and one to oneself too.
func TestSendRecv(t *testing.T) {
	over(t, how{}, func(t *testing.T, r *relay, dial dialer) {
		a, b, c := dial(), dial(), dial()
		for _, size := range []int{0, 1, 61, 62, 1200, 9000, 16384, 32000} {
			text := make([]byte, size)
			rand.Read(text)
			a.sends(b, text)
			b.sends(a, text)
			a.sends(a, text)
		}
		c.quiet()
		a.quiet()
	})
}

func TestLargestPacket(t *testing.T) {
	transports := over
	if kind == "derper" { // its WebSocket takes and gives one message per packet, larger than either side takes
		transports = overStreams
	}
	transports(t, how{}, func(t *testing.T, _ *relay, dial dialer) {
		a, b := dial(), dial()
		text := make([]byte, 65536)
		rand.Read(text)
		a.sends(b, text)
	})
}

func overStreams(t *testing.T, h how, test func(t *testing.T, r *relay, dial func(...func(*derphttp.Client)) *peer)) {
	for _, transport := range []string{"plain", "tls"} {
		t.Run(transport, func(t *testing.T) {
			h := h
			h.tls = transport == "tls"
			r := start(t, h)
			test(t, r, r.join)
		})
	}
}

// Thirty in flight, in order, without loss.
func TestBulkTransfer(t *testing.T) {
	over(t, how{}, func(t *testing.T, _ *relay, dial dialer) {
		const count, inFlight = 300, 30
		a, b := dial(), dial()
		size := 65536
		if kind == "derper" && strings.HasSuffix(t.Name(), "websocket") {
			size = 30000
		}
		text := make([]byte, size)
		rand.Read(text)
		room := make(chan struct{}, inFlight)
		failed := make(chan error, 1)
		go func() {
			for n := range count {
				room <- struct{}{}
				packet := append([]byte(nil), text...)
				binary.BigEndian.PutUint32(packet, uint32(n))
				if err := a.Send(b.key, packet); err != nil {
					failed <- err
					return
				}
			}
		}()
		for n := range count {
			select {
			case err := <-failed:
				t.Fatal(err)
			default:
			}
			got := b.packet(a)
			if binary.BigEndian.Uint32(got) != uint32(n) {
				t.Fatalf("packet %d where %d was due", binary.BigEndian.Uint32(got), n)
			}
			equal(t, got[4:], text[4:])
			<-room
		}
	})
}

// Data to nobody is dropped without a word; disco is answered, three times at once and once more per second.
func TestUnknownPeer(t *testing.T) {
	over(t, how{}, func(t *testing.T, r *relay, dial dialer) {
		a, nobody := dial(), key.NewNode().Public()
		a.send(nobody, []byte("data"))
		a.send(nobody, disco(61))
		a.send(nobody, append([]byte("TS????"), make([]byte, 80)...))
		a.quiet()
		begun := time.Now()
		for range 10 {
			a.send(nobody, disco(62))
		}
		for range 3 {
			a.gone(nobody, derp.PeerGoneReasonNotHere)
		}
		// A further one comes when a second has passed; keep asking.
		told := time.Time{}
		for told.IsZero() {
			a.send(nobody, disco(62))
			select {
			case m := <-a.in:
				if g, ok := m.(derp.PeerGoneMessage); !ok || g.Reason != derp.PeerGoneReasonNotHere {
					t.Fatalf("%T %v", m, m)
				}
				told = time.Now()
			case <-time.After(20 * time.Millisecond):
			}
			if time.Since(begun) > patience {
				t.Fatal("never told again")
			}
		}
		if passed := told.Sub(begun); passed < 800*time.Millisecond {
			t.Fatalf("told again after %v", passed)
		}
		r.awaitLeast(13, "derp_packets_dropped", "reason=unknown_dest")
		if got := r.counted("derp_peer_gone_not_here_frames"); got < 4 || got > 3+int(time.Since(begun).Seconds()) {
			t.Fatalf("%d frames are counted", got)
		}
	})
}

// A farewell goes to those who have heard from the leaver, once, and to nobody else.
func TestPeerGone(t *testing.T) {
	over(t, how{}, func(t *testing.T, r *relay, dial dialer) {
		a, b, c := dial(), dial(), dial()
		a.sends(b, []byte("x"))
		a.sends(b, []byte("y"))
		b.sends(c, []byte("z"))
		a.leave()
		b.gone(a.key, derp.PeerGoneReasonDisconnected)
		b.quiet()
		c.quiet()
		r.awaitCount(1, "derp_peer_gone_disconnected_frames")
		r.awaitCount(2, "derp_clients_local")
	})
}

func TestHomeGauge(t *testing.T) {
	over(t, how{}, func(t *testing.T, r *relay, dial dialer) {
		begun := time.Now()
		a, b := dial(), dial()
		prefer := func(p *peer, home bool, want int) {
			p.NotePreferred(home)
			p.pong()
			r.awaitCount(want, "derp_current_home_connections")
		}
		prefer(a, true, 1)
		prefer(a, true, 1)
		prefer(b, true, 2)
		prefer(a, false, 1)
		prefer(a, false, 1)
		took := time.Since(begun)
		b.leave()
		r.awaitCount(0, "derp_current_home_connections")
		r.awaitCount(1, "derp_current_connections")
		if got := r.counted("derp_home_moves_in"); got != 0 && took < 5*time.Second {
			t.Fatalf("%d moves within %v of connecting", got, took)
		}
	})
}

func TestCounters(t *testing.T) {
	r := start(t, how{})
	a, b := r.join(), r.join()
	before := r.counted("derp_accepts")
	a.sends(b, make([]byte, 100))
	a.sends(b, disco(62))
	a.pong()
	r.awaitCount(2, "derp_packets_received")
	r.awaitCount(2, "derp_packets_sent")
	r.awaitCount(162, "derp_bytes_received")
	r.awaitCount(162, "derp_bytes_sent")
	r.awaitCount(1, "derp_packets_received_kind", "kind=disco")
	r.awaitCount(1, "derp_packets_received_kind", "kind=other")
	r.awaitCount(1, "derp_got_ping")
	r.awaitCount(1, "derp_sent_pong")
	r.join()
	r.awaitCount(before+1, "derp_accepts")
	r.awaitCount(3, "derp_clients_total")
}

// The connection that came or spoke last has the packets; when it leaves, the one before.
func TestDuplicates(t *testing.T) {
	over(t, how{}, func(t *testing.T, r *relay, _ dialer) {
		websocket := strings.HasSuffix(t.Name(), "websocket")
		sender, private := r.join(), key.NewNode()
		// The sender's packets reach exactly this one.
		reach := func(p *peer) {
			t.Helper()
			sender.sends(p, []byte(p.LocalName()))
		}
		a := r.joinBy(websocket, private)
		reach(a)
		b := r.joinBy(websocket, private)
		reach(b)
		r.awaitCount(1, "derp_current_dup_client_keys")
		r.awaitCount(2, "derp_current_dup_client_conns")
		a.pong()
		reach(a)
		c := r.joinBy(websocket, private)
		reach(c)
		r.awaitCount(3, "derp_current_dup_client_conns")
		c.leave()
		r.awaitCount(2, "derp_current_dup_client_conns")
		reach(a) // b never said a word
		b.NotePreferred(true)
		b.pong()
		reach(b)
		b.leave()
		r.awaitCount(0, "derp_current_dup_client_keys")
		reach(a)
		a.quiet()
		sender.quiet() // nobody left for good
		if got := r.counted("derp_total_dup_client_conns"); got != 3 && got != 2 {
			t.Fatalf("%d duplicates are counted in all", got)
		}
	})
}

// LocalName tells connections of one key apart in failures.
func (p *peer) LocalName() string {
	at, _ := p.LocalAddr()
	return at.String()
}

// A flood of one client is its own trouble.
func TestFlood(t *testing.T) {
	r := start(t, how{})
	a, b, victim := r.join(), r.join(), r.join()
	stop, done := make(chan struct{}), make(chan struct{})
	for range 2 {
		flooder := r.join()
		go func() {
			defer func() { done <- struct{}{} }()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				to := victim.key
				if n%2 == 0 {
					to = key.NewNode().Public()
				}
				if flooder.Send(to, disco(1200)) != nil {
					return
				}
			}
		}()
	}
	go func() {
		for range victim.in {
		}
	}()
	for range 200 {
		a.sends(b, []byte("through"))
	}
	close(stop)
	<-done
	<-done
	if r.counted("derp_packets_dropped", "reason=unknown_dest") == 0 {
		t.Fatal("what went to nobody is not counted")
	}
}

// The official client takes the fast start by itself, and its packets come through.
func TestFastStartOfficial(t *testing.T) {
	r := start(t, how{tls: true})
	a, b := r.join(), r.join()
	state, ok := a.TLSConnectionState()
	if !ok || state.Version != tls.VersionTLS13 || len(state.PeerCertificates) != 2 {
		t.Fatal("no TLS 1.3, or no second certificate")
	}
	a.sends(b, []byte("fast"))
	b.sends(a, []byte("back"))
}
