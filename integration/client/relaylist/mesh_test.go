//go:build !release164 && !release180

package relaylist

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"tailscale.com/derp"
	"tailscale.com/types/key"
)

var meshKey = strings.Repeat("5a", 32)

// mesh is a connection that has proven the mesh key; a relay that has just started may be told of it a moment later.
func (r *relay) mesh(more string) *wire {
	r.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		w := r.dial(0).enter(`{"version":2,"meshKey":"` + r.meshKey + `"` + more + `}`)
		w.say(frame(frameClose, raw(key.NewNode().Public()))) // legal to a sibling, and to nobody
		w.Write(frame(framePing, []byte("12345678")))
		if kind, _, err := w.frame(); err == nil && kind == framePong {
			return w
		}
		w.Close()
		if time.Now().After(end) {
			r.t.Fatal("the mesh key is never good")
		}
	}
}

type presence struct {
	at    netip.AddrPort
	flags byte
}

// present collects presence until all of these keys were told. That others have gone is passed over.
func (w *wire) present(keys ...key.NodePublic) map[key.NodePublic]presence {
	w.t.Helper()
	told := map[key.NodePublic]presence{}
	missing := func() bool {
		for _, k := range keys {
			if _, ok := told[k]; !ok {
				return true
			}
		}
		return false
	}
	for missing() {
		got, p, err := w.frame()
		if err != nil {
			w.t.Fatalf("presence was due: %v", err)
		}
		if got == frameKeepAlive || (got == frameGone && !slices.ContainsFunc(keys, func(k key.NodePublic) bool { return bytes.HasPrefix(p, raw(k)) })) {
			continue
		}
		if got != framePresent || len(p) < 51 {
			w.t.Fatalf("frame %#x of %d bytes", got, len(p))
		}
		var k key.NodePublic
		for _, known := range keys {
			if bytes.Equal(raw(known), p[:32]) {
				k = known
			}
		}
		at, _ := netip.AddrFromSlice(p[32:48])
		told[k] = presence{netip.AddrPortFrom(at.Unmap(), binary.BigEndian.Uint16(p[48:])), p[50]}
	}
	return told
}

// A watcher hears of itself, of all who are here, of what they are and where from; then of each who comes and goes.
func TestWatch(t *testing.T) {
	r := start(t, how{meshKey: meshKey})
	usual := r.join()
	prober := r.dial(0).enter(`{"version":2,"IsProber":true}`)
	lost := r.dial(0)
	lost.say([]byte(upgrade + "Ideal-Node: 900z\r\n\r\n"))
	if res, err := http.ReadResponse(lost.in, nil); err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	lost.serverKey()
	lost.say(lost.info(usualInfo))
	lost.expect(frameServerInfo)
	w := r.mesh("")
	w.say(frame(frameWatch))
	told := w.present(usual.key, prober.key, lost.key, w.key)
	at, err := usual.LocalAddr()
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[key.NodePublic]presence{usual.key: {at, 1}, prober.key: {netip.MustParseAddrPort(prober.LocalAddr().String()), 4},
		lost.key: {netip.MustParseAddrPort(lost.LocalAddr().String()), 8}, w.key: {netip.MustParseAddrPort(w.LocalAddr().String()), 2}} {
		if told[k] != want {
			t.Fatalf("told %v, not %v", told[k], want)
		}
	}
	r.awaitCount(1, "derp_watchers")
	late := r.join()
	w.present(late.key)
	// Each new connection of a key is told, its end only with the last of them.
	twin := r.joinBy(false, late.private)
	w.present(late.key)
	late.leave()
	twin.pong()
	twin.leave()
	for _, leaver := range []*peer{late, usual} {
		leaver.leave()
		if p := w.expect(frameGone); !bytes.Equal(p[:32], raw(leaver.key)) || (len(p) > 32 && p[32] != 0) {
			t.Fatalf("%x has gone, not %v", p, leaver.key)
		}
	}
	other := r.mesh("")
	other.say(frame(frameWatch))
	other.present(w.key, prober.key, lost.key)
	w.present(other.key)
	w.Close()
	r.awaitCount(1, "derp_watchers")
}

// What comes by a sibling is delivered as from its source; to nobody: the sibling hears of that, for disco. It goes no further.
func TestForwardPacket(t *testing.T) {
	r := start(t, how{meshKey: meshKey})
	a, source := r.join(), key.NewNode().Public()
	w := r.mesh("")
	for _, size := range []int{0, 1, 1200, 65536} {
		text := bytes.Repeat([]byte{7}, size)
		w.say(frame(frameForward, raw(source), raw(a.key), text))
		got, ok := a.next().(derp.ReceivedPacket)
		if !ok || got.Source != source {
			t.Fatalf("%T", got)
		}
		equal(t, got.Data, text)
	}
	r.awaitCount(4, "derp_packets_forwarded_in")
	nobody := key.NewNode().Public()
	w.say(frame(frameForward, raw(source), raw(nobody), []byte("data")))
	w.say(frame(frameForward, raw(source), raw(nobody), disco(62)))
	if p := w.expect(frameGone); !bytes.Equal(p[:32], raw(nobody)) || p[32] != 1 {
		t.Fatalf("%x", p)
	}
	w.ping()
	for _, breach := range [][]byte{frame(frameForward, make([]byte, 63)), frame(frameForward, make([]byte, 64+65537)), frame(frameWatch, []byte{0}),
		frame(frameClose, make([]byte, 31)), frame(frameClose, make([]byte, 33))} {
		w := r.mesh("")
		before := r.complaints("derp_bad_frames_total", "reason=length")
		w.Write(breach)
		w.over()
		r.awaitMore(before, 1, "derp_bad_frames_total", "reason=length")
	}
	a.quiet()
}

// A sibling may send a client away, with all connections of its key.
func TestClosePeer(t *testing.T) {
	r := start(t, how{meshKey: meshKey})
	a, bystander := r.join(), r.join()
	twin := r.joinBy(false, a.private)
	w := r.mesh("")
	w.say(frame(frameClose, raw(a.key)))
	for _, p := range []*peer{a, twin} {
		select {
		case <-p.end:
		case <-time.After(patience):
			t.Fatal("a closed client stays")
		}
	}
	bystander.quiet()
	w.ping()
}

// Mesh links have no rate of their own.
func TestMeshRate(t *testing.T) {
	r := start(t, how{meshKey: meshKey, rate: 1000, burst: 1})
	a, w := r.join(), r.mesh("")
	for range 20 {
		w.say(frame(frameForward, raw(w.key), raw(a.key), make([]byte, 60000)))
		if got, ok := a.next().(derp.ReceivedPacket); !ok || len(got.Data) != 60000 {
			t.Fatalf("%T", got)
		}
	}
}

// Two nodes of a region: packets cross once, a local connection wins, farewells come, and a dead node's clients are not here.
func TestMeshPair(t *testing.T) {
	one, two := prepare(t, how{tls: true, meshKey: meshKey}), prepare(t, how{tls: true, meshKey: meshKey})
	one.siblings, two.siblings = []*relay{two}, []*relay{one}
	one.launch()
	two.launch()
	a, b := one.join(), two.join()
	a.reaches(b, "there") // links that were begun too early come a few seconds later
	b.reaches(a, "back")
	a.sends(b, make([]byte, 65536))
	a.sends(b, disco(1000))
	if one.counted("derp_packets_forwarded_out") == 0 || two.counted("derp_packets_forwarded_in") == 0 {
		t.Fatal("nothing is counted")
	}
	// A client that comes is known at the other node before long.
	c := two.join()
	a.reaches(c, "new")
	c.sends(a, []byte("x"))
	c.leave()
	a.gone(c.key, derp.PeerGoneReasonDisconnected)
	// One key at both nodes: each node's clients reach their own; when one goes, the other has them all.
	here := one.joinBy(false, b.private)
	a.sends(here, []byte("local"))
	d := two.join()
	d.sends(b, []byte("local too"))
	here.leave()
	a.reaches(b, "after all")
	two.kill()
	for end := time.Now().Add(patience); ; {
		a.send(b.key, disco(62))
		var gone bool
		select {
		case m := <-a.in:
			g, ok := m.(derp.PeerGoneMessage)
			gone = ok && g.Peer == b.key && g.Reason == derp.PeerGoneReasonNotHere
		case <-time.After(100 * time.Millisecond):
		}
		if gone {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a dead node's client is still sought there")
		}
	}
}
