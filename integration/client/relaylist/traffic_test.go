package relaylist

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"

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
	if kind == "derper" { // its WebSocket passes on one message per packet, larger than its own peers take
		transports = overStreams
	}
	transports(t, how{}, func(t *testing.T, _ *relay, dial dialer) {
		a, b := dial(), dial()
		text := make([]byte, 65536)
		rand.Read(text)
		if kind == "ours" && strings.HasSuffix(t.Name(), "websocket") {
			// The client's own messages end at 32768 bytes: a packet that fits comes in two pieces or more.
			text = text[:32000]
		}
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
		if strings.HasSuffix(t.Name(), "websocket") {
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
		if got := r.counted("derp_packets_dropped", "reason=unknown_dest"); got < 13 {
			t.Fatalf("%d drops are counted", got)
		}
		if got := r.counted("derp_peer_gone_not_here_frames"); got != 4 {
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
		b.leave()
		r.awaitCount(0, "derp_current_home_connections")
		r.awaitCount(1, "derp_current_connections")
		if got := r.counted("derp_home_moves_in"); got != 0 {
			t.Fatalf("%d moves so soon after connecting", got)
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

// One who does not read holds up nobody else; when it never does it is closed, which is counted.
func TestSendFreeze(t *testing.T) {
	overStreams(t, how{}, func(t *testing.T, r *relay, _ dialer) {
		a, b := r.join(), r.join()
		frozen := r.dial(65536).enter(usualInfo)
		stop, done := make(chan struct{}), make(chan struct{})
		flooder := r.join()
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if flooder.Send(frozen.key, make([]byte, 16384)) != nil {
					return
				}
			}
		}()
		for range 200 {
			a.sends(b, []byte("freely"))
		}
		r.awaitCount(1, "derp_sclient_write_timeouts")
		close(stop)
		<-done
		frozen.over()
		a.sends(b, []byte("still"))
		flooder.Close()
	})
}

// The oldest goes, not the newest; disco has a queue of its own; each packet is delivered or counted.
func TestHeadDrop(t *testing.T) {
	overStreams(t, how{}, func(t *testing.T, r *relay, _ dialer) {
		const count, discos = 1000, 32
		a, slow := r.join(), r.dial(65536).enter(usualInfo)
		for n := range count {
			text := make([]byte, 16384)
			binary.BigEndian.PutUint32(text, uint32(n))
			a.send(slow.key, text)
			if n%(count/discos) == 0 && n/(count/discos) < discos {
				text := disco(200)
				binary.BigEndian.PutUint32(text[100:], uint32(n/(count/discos)))
				a.send(slow.key, text)
			}
		}
		last, run, got, told := -1, 0, 0, 0
		for last != count-1 {
			text := slow.expect(frameRecv)[32:]
			if len(text) == 200 {
				if n := int(binary.BigEndian.Uint32(text[100:])); n != told {
					t.Fatalf("disco %d where %d was due", n, told)
				}
				told++
				continue
			}
			n := int(binary.BigEndian.Uint32(text))
			if n <= last {
				t.Fatalf("packet %d after %d", n, last)
			}
			if run++; n != last+1 {
				run = 1
			}
			last, got = n, got+1
		}
		for told < discos {
			if text := slow.expect(frameRecv)[32:]; len(text) != 200 || int(binary.BigEndian.Uint32(text[100:])) != told {
				t.Fatal("not all of disco came")
			}
			told++
		}
		if run < 32 {
			t.Fatalf("only the last %d came without a gap", run)
		}
		if got == count {
			t.Fatal("nothing was dropped: the socket took everything")
		}
		if drops := r.counted("derp_packets_dropped", "reason=queue_head"); got+drops != count {
			t.Fatalf("%d delivered and %d dropped of %d", got, drops, count)
		}
	})
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
}

// While a key is flooded, a new connection of it hears ServerInfo before anything else.
func TestServerInfoFirst(t *testing.T) {
	overStreams(t, how{}, func(t *testing.T, r *relay, _ dialer) {
		private := key.NewNode()
		flooder := r.join()
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if flooder.Send(private.Public(), make([]byte, 100)) != nil {
					return
				}
			}
		}()
		for range 20 {
			w := r.dial(0)
			w.private, w.key = private, private.Public()
			w.enter(usualInfo)
			w.expect(frameRecv)
			w.Close()
		}
		close(stop)
		<-done
	})
}

// throttled sends that many bytes and tells how long the relay took for them.
func throttled(t *testing.T, r *relay, total int) time.Duration {
	t.Helper()
	w := r.wire()
	begun := time.Now()
	const size = 10000
	go func() {
		for sent := 0; sent < total; sent += size {
			if _, err := w.Write(frame(frameSend, raw(w.key), make([]byte, size-32))); err != nil {
				return
			}
		}
	}()
	for got := 0; got < total; got += size {
		w.expect(frameRecv)
	}
	return time.Since(begun)
}

// Beyond the burst a client gets its rate; a changed file is in force at once; zero: no limit; a bad file changes nothing.
func TestRateLimit(t *testing.T) {
	r := start(t, how{rate: 200_000, burst: 1})
	if took := throttled(t, r, 200_000); took < 550*time.Millisecond {
		t.Fatalf("200 kB at 200 kB/s, past 65 kB at once, took %v", took)
	}
	old := r.wire()
	reload := func(text string) {
		t.Helper()
		r.file("rate.json", text)
		r.process.Process.Signal(hangup)
	}
	reload(`{"PerClientRateLimitBytesPerSec":`)
	if took := throttled(t, r, 200_000); took < 550*time.Millisecond {
		t.Fatalf("a bad file ended the limit: %v", took)
	}
	// Without a limit: on the connection that stands as well, which is past its burst twice over.
	reload(`{"PerClientRateLimitBytesPerSec":0}`)
	for end := time.Now().Add(patience); throttled(t, r, 200_000) > 550*time.Millisecond; {
		if time.Now().After(end) {
			t.Fatal("the limit stays")
		}
	}
	for range 40 {
		old.say(frame(frameSend, raw(old.key), make([]byte, 65536)))
		old.expect(frameRecv)
	}
	reload(`{"PerClientRateLimitBytesPerSec":100000,"PerClientRateBurstBytes":70000}`)
	for end := time.Now().Add(patience); ; {
		begun := time.Now()
		for range 4 {
			old.say(frame(frameSend, raw(old.key), make([]byte, 65536)))
			old.expect(frameRecv)
		}
		if time.Since(begun) > time.Second {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the new limit does not come to old connections")
		}
	}
}

// ---- what only a bare socket can say ----

func TestHandshakeVector(t *testing.T) {
	// The frames of a fixed pair of keys, so that the encodings themselves are checked: the client's part by the relay.
	r := start(t, how{})
	w := r.dial(0)
	w.switches()
	w.serverKey()
	if err := w.private.UnmarshalText([]byte("privkey:" + hex.EncodeToString(bytesOf(0x22, 32)))); err != nil {
		t.Fatal(err)
	}
	w.key = w.private.Public()
	if got := hex.EncodeToString(raw(w.key)); got != "0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20" {
		t.Fatal(got)
	}
	w.say(w.info(usualInfo))
	sealed := w.expect(frameServerInfo)
	clear, ok := w.private.OpenFrom(w.relay, sealed)
	if !ok {
		t.Fatal("ServerInfo is not sealed to this key")
	}
	contains(t, string(clear), `"version":2`)
	w.ping()
}

func bytesOf(value byte, count int) []byte {
	b := make([]byte, count)
	for i := range b {
		b[i] = value
	}
	return b
}

// Ours tells its clients their rate, which then keep to it; the stock relay says nothing.
func TestRateTold(t *testing.T) {
	overStreams(t, how{rate: 300_000, burst: 100_000}, func(t *testing.T, r *relay, _ dialer) {
		w := r.dial(0)
		w.switches()
		w.serverKey()
		w.say(w.info(usualInfo))
		told := func() (rate derp.ServerInfoMessage) {
			t.Helper()
			clear, ok := w.private.OpenFrom(w.relay, w.expect(frameServerInfo))
			if err := json.Unmarshal(clear, &rate); !ok || err != nil {
				t.Fatalf("%v %s", err, clear)
			}
			return rate
		}
		want := derp.ServerInfoMessage{}
		if kind == "ours" {
			want = derp.ServerInfoMessage{TokenBucketBytesPerSecond: 300_000, TokenBucketBytesBurst: 100_000}
		}
		if got := told(); got != want {
			t.Fatalf("%+v, not %+v", got, want)
		}
		if kind == "derper" {
			return
		}
		// A new rate is told with the next frame.
		r.rateFile(0, 0)
		for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
			w.say(frame(framePing, []byte("12345678")))
			got, _, err := w.frame()
			if err != nil || time.Now().After(end) {
				t.Fatal("the new rate is not told", err)
			}
			if got == framePong {
				continue
			}
			if got != frameServerInfo {
				t.Fatalf("frame %#x", got)
			}
			return
		}
	})
}
