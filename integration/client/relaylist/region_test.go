//go:build !release164 && !release180

package relaylist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/net/stun"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// region starts relays of these kinds (empty: the one that is looked at) that are siblings of each other, and waits until all links stand.
func region(t *testing.T, kinds ...string) []*relay {
	t.Helper()
	return regionOf(t, how{}, kinds...)
}

func regionOf(t *testing.T, h how, kinds ...string) []*relay {
	t.Helper()
	h.tls, h.meshKey = true, meshKey
	var nodes []*relay
	for _, k := range kinds {
		h.kind = k
		nodes = append(nodes, prepare(t, h))
	}
	for i, n := range nodes {
		for j, s := range nodes {
			if i != j {
				n.siblings = append(n.siblings, s)
			}
		}
	}
	for _, n := range nodes {
		n.launch()
	}
	for _, n := range nodes {
		n.awaitCount(len(nodes)-1, "derp_watchers")
	}
	return nodes
}

// reaches sends until something comes: presence takes a moment, and what is sent before is lost. What follows comes as well and is
// taken; farewells and disco in between are passed over.
func (p *peer) reaches(to *peer, text string) {
	p.t.Helper()
	begun := time.Now()
	for n, came := 0, false; ; {
		if !came {
			n++
			p.send(to.key, fmt.Appendf(nil, "%s #%d", text, n))
		}
		for wait := time.After(100 * time.Millisecond); wait != nil; {
			select {
			case m := <-to.in:
				got, ok := m.(derp.ReceivedPacket)
				if !ok || bytes.HasPrefix(got.Data, []byte("TS💬")) {
					continue
				}
				if !strings.HasPrefix(string(got.Data), text+" #") || got.Source != p.key {
					p.t.Fatalf("%.100s from %v", got.Data, got.Source)
				}
				if came = true; strings.HasSuffix(string(got.Data), fmt.Sprintf("#%d", n)) {
					return
				}
			case err := <-to.end:
				p.t.Fatalf("%s: the receiver's connection ended: %v", text, err)
			case <-wait:
				wait = nil
			}
		}
		if time.Since(begun) > patience {
			p.t.Fatalf("%s: arrived: %v", text, came)
		}
	}
}

// absent asks by disco until the relay says that nobody of the key is there.
func (p *peer) absent(who key.NodePublic, what string) {
	p.t.Helper()
	for end := time.Now().Add(patience); ; {
		p.send(who, disco(62))
		select {
		case m := <-p.in:
			if g, ok := m.(derp.PeerGoneMessage); ok && g.Peer == who && g.Reason == derp.PeerGoneReasonNotHere {
				return
			}
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			p.t.Fatalf("%s: still sought", what)
		}
	}
}

// news makes sure that the first node has heard all that the second one told so far: news of a link come in order.
func news(from, to *peer, at *relay) {
	from.t.Helper()
	mark := at.join()
	from.reaches(mark, "mark")
	mark.leave()
}

func trios() map[string][]string {
	if kind == "derper" {
		return map[string][]string{"stock": {"", "", ""}}
	}
	return map[string][]string{"ours": {"", "", ""}, "with a stock one": {"", "", "derper"}, "stock ones about": {"", "derper", "derper"}}
}

// publicKey is the relay's own, by which siblings know its links.
func (r *relay) publicKey() key.NodePublic {
	r.t.Helper()
	w := r.dial(0)
	defer w.Close()
	w.switches()
	w.serverKey()
	return w.relay
}

// watches reads until all of these were told as present, and one as not here, which it gives back; no other client may be told.
func (w *wire) watches(present []key.NodePublic, clients []*peer) (gone []byte) {
	w.t.Helper()
	missing := map[string]bool{}
	for _, k := range present {
		missing[string(raw(k))] = true
	}
	others := map[string]bool{}
	for _, c := range clients {
		if k := string(raw(c.key)); !missing[k] {
			others[k] = true
		}
	}
	for len(missing) > 0 || gone == nil {
		switch got, payload, err := w.frame(); {
		case err != nil:
			w.t.Fatalf("%v; %d were not told", err, len(missing))
		case got == framePresent && others[string(payload[:32])]:
			w.t.Fatal("a sibling's client is told as one of this node")
		case got == framePresent:
			delete(missing, string(payload[:32]))
		case got == frameGone && payload[32] == byte(derp.PeerGoneReasonNotHere):
			gone = payload
		}
	}
	return gone
}

// Three nodes: each client reaches each other one, by one hop and no more; a node tells of its own clients only.
func TestThreeNodes(t *testing.T) {
	for name, kinds := range trios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nodes := region(t, kinds...)
			var clients []*peer
			for _, n := range nodes {
				clients = append(clients, n.join())
			}
			for i, a := range clients {
				for j, b := range clients {
					if i != j {
						a.reaches(b, "hello")
						a.sends(b, make([]byte, 65536))
						a.sends(b, disco(1200))
					}
				}
			}
			for i, n := range nodes {
				if n.counted("derp_packets_forwarded_in") < 6 || n.counted("derp_packets_forwarded_out") < 6 {
					t.Fatalf("node %d does not count", i)
				}
				n.awaitCount(1+2, "derp_clients_local") // its client, and the links of two siblings
			}
			for i, n := range nodes {
				other := clients[(i+1)%3]
				w := n.mesh("")
				w.say(frame(frameWatch))
				// What came by a sibling is not passed on to another one: the sibling hears that nobody is here.
				out := n.counted("derp_packets_forwarded_out")
				w.say(frame(frameForward, raw(clients[i].key), raw(other.key), disco(62)))
				keys := []key.NodePublic{w.key, clients[i].key}
				for _, s := range n.siblings {
					keys = append(keys, s.publicKey())
				}
				refused := w.watches(keys, clients)
				if len(refused) != 33 || !bytes.Equal(refused[:32], raw(other.key)) || refused[32] != byte(derp.PeerGoneReasonNotHere) {
					t.Fatalf("%x", refused)
				}
				if got := n.counted("derp_packets_forwarded_out"); got != out {
					t.Fatal("forwarded twice")
				}
				w.Close()
			}
			for _, c := range clients {
				c.quiet()
			}
		})
	}
}

// One key at several nodes: the way that is known longest is used, a connection here before any; who has heard from it is told when the last one goes.
func TestRoutes(t *testing.T) {
	for name, kinds := range trios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nodes := region(t, kinds...)
			a, twin := nodes[0].join(), key.NewNode()
			first := nodes[1].joinBy(false, twin)
			a.reaches(first, "first")
			second := nodes[2].joinBy(false, twin)
			news(a, second, nodes[2])
			a.sends(first, []byte("the oldest"))
			second.quiet()
			second.reaches(a, "so that a hears of its end")
			first.reaches(a, "by the other way")
			first.leave()
			a.reaches(second, "the other way")
			a.quiet() // not gone
			third := nodes[1].joinBy(false, twin)
			news(a, third, nodes[1])
			a.sends(second, []byte("now the oldest"))
			third.quiet()
			here := nodes[0].joinBy(false, twin)
			a.sends(here, []byte("here before any"))
			here.reaches(a, "from here")
			here.leave()
			a.reaches(second, "there again")
			second.leave()
			a.reaches(third, "the last way")
			a.quiet()
			third.leave()
			a.gone(twin.Public(), derp.PeerGoneReasonDisconnected)
			a.absent(twin.Public(), "gone from all")
			nodes[0].awaitCount(2, "derp_watchers")
		})
	}
}

// ClosePeer of a relay's own key breaks its link: what was known by it is forgotten at once, and learned again; the way back stands.
func TestBrokenLinks(t *testing.T) {
	for name, kinds := range map[string][]string{"alike": {"", ""}, "ours to the stock one": {"ours", "derper"}, "the stock one to ours": {"derper", "ours"}} {
		if kind == "derper" && name != "alike" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nodes := region(t, kinds...)
			a, b, breaker := nodes[0].join(), nodes[1].join(), nodes[1].mesh("")
			a.reaches(b, "before")
			link := nodes[0].publicKey()
			for n := range 10 {
				breaker.say(frame(frameClose, raw(link)))
				a.absent(b.key, "broken")
				b.reaches(a, "the way back")
				a.reaches(b, "again")
				t.Logf("%d times", n+1)
			}
		})
	}
}

// A relay among its own siblings: it knows itself and leaves that be.
func TestSelfConnect(t *testing.T) {
	r := prepare(t, how{tls: true, meshKey: meshKey})
	r.siblings = []*relay{r}
	r.launch()
	for end := time.Now().Add(patience); r.counted("derp_accepts") == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no link to itself is tried")
		}
	}
	r.awaitCount(0, "derp_current_connections")
	tried := r.counted("derp_accepts")
	time.Sleep(6 * time.Second) // longer than any pause between attempts
	if again := r.counted("derp_accepts"); again != tried {
		t.Fatalf("tried %d times and %d later", tried, again)
	}
	for _, name := range []string{"derp_watchers", "derp_current_connections", "derp_clients_local"} {
		if got := r.counted(name); got != 0 {
			t.Fatalf("%s %d", name, got)
		}
	}
	a := r.join()
	a.sends(a, []byte("to myself"))
}

// The official watcher: it hears of all who are here, also after its link broke, and says when it did.
func TestOfficialWatcher(t *testing.T) {
	r := start(t, how{tls: true, meshKey: meshKey})
	r.mesh("").Close() // the key is known by now
	here := r.join()
	c := regionClient(key.NewNode(), func(string, ...any) {}, r.region)
	var err error
	if c.MeshKey, err = key.ParseDERPMesh(meshKey); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer c.Close()
	came, went, failed := make(chan key.NodePublic, 100), make(chan key.NodePublic, 100), make(chan error, 100)
	c.WatchConnectionChanges = true
	go c.RunWatchConnectionLoop(ctx, key.NodePublic{}, func(string, ...any) {}, func(m derp.PeerPresentMessage) { came <- m.Key },
		func(m derp.PeerGoneMessage) { went <- m.Peer }, func(err error) { failed <- err })
	hear := func(from chan key.NodePublic, who key.NodePublic) {
		t.Helper()
		for wait := time.After(patience); ; {
			select {
			case got := <-from:
				if got == who {
					return
				}
			case <-wait:
				t.Fatal("nothing is heard of it")
			}
		}
	}
	hear(came, here.key)
	late := r.join()
	hear(came, late.key)
	late.leave()
	hear(went, late.key)
	breaker := r.mesh("")
	breaker.say(frame(frameClose, raw(c.SelfPublicKey())))
	hear(went, here.key)
	hear(came, here.key)
	if len(failed) == 0 {
		t.Fatal("the broken link is no error")
	}
}

// Under traffic the first node of a region dies: official clients go on at the second one.
func TestNodeDies(t *testing.T) {
	nodes := region(t, "", "")
	both := func() *tailcfg.DERPRegion {
		g := nodes[0].region()
		second := nodes[1].region().Nodes[0]
		second.Name = "900b"
		g.Nodes = append(g.Nodes, second)
		return g
	}
	join := func() *derphttp.Client {
		c := regionClient(key.NewNode(), func(string, ...any) {}, both)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	a, b, bystander := join(), join(), nodes[1].join()
	var got atomic.Int64
	hear := func(c *derphttp.Client, count *atomic.Int64) {
		for {
			m, err := c.Recv()
			if errors.Is(err, derphttp.ErrClientClosed) {
				return
			}
			if err != nil {
				time.Sleep(10 * time.Millisecond) // as clients do, the first time
				continue
			}
			if _, ok := m.(derp.ReceivedPacket); ok {
				count.Add(1)
			}
		}
	}
	go hear(a, new(atomic.Int64))
	go hear(b, &got)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				a.Send(b.SelfPublicKey(), make([]byte, 1200))
			}
		}
	}()
	flows := func(count int64) {
		t.Helper()
		for at, end := got.Load(), time.Now().Add(patience); got.Load() < at+count; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("nothing flows")
			}
		}
	}
	flows(100)
	nodes[1].awaitCount(0, "derp_current_notideal_connections")
	nodes[0].kill()
	killed := time.Now()
	nodes[1].awaitCount(2, "derp_current_notideal_connections")
	got.Store(0)
	flows(1)
	t.Logf("flows again %v after the first node's end", time.Since(killed))
	flows(100)
	close(stop)
	<-done
	bystander.quiet()
	nodes[1].awaitCount(0, "derp_watchers")
}

// tell changes what coordinators say to a relay of ours.
func (r *relay) tell(change func()) {
	r.telling.Lock()
	defer r.telling.Unlock()
	change()
}

// The mesh key changes: while the one before is good as well, a stock sibling that knows no other one stays; when it ends, that one is cut
// off, both ways, and those with the new key go on. The stock relay reads its key at the start only.
func TestMeshKeyRotated(t *testing.T) {
	if kind == "derper" {
		nodes := region(t, "", "")
		a, b := nodes[0].join(), nodes[1].join()
		a.reaches(b, "its key is what it was")
		return
	}
	next := strings.Repeat("6b", 32)
	nodes := regionOf(t, how{lease: 3}, "ours", "ours", "derper")
	one, two, old := nodes[0], nodes[1], nodes[2]
	a, b, c := one.join(), two.join(), old.join()
	a.reaches(b, "at first")
	a.reaches(c, "at first, to the stock one")
	c.reaches(a, "and back")
	for _, n := range nodes[:2] {
		n.tell(func() { n.meshKey, n.meshKeyBefore = next, meshKey })
	}
	for _, n := range nodes[:2] {
		n.mesh("").Close() // the new key is known
	}
	a.reaches(c, "while both are good")
	c.reaches(b, "while both are good, from the stock one")
	for _, n := range nodes[:2] {
		n.tell(func() { n.meshKeyBefore = "" })
	}
	a.absent(c.key, "the stock one's client")
	for _, n := range nodes[:2] {
		n.awaitCount(1, "derp_watchers")
	}
	c.absent(a.key, "ours, at the stock one")
	a.reaches(b, "at last")
	b.reaches(a, "at last, and back")
	w := one.dial(0).enter(`{"version":2,"meshKey":"` + meshKey + `"}`)
	w.ping()
	w.say(frame(frameWatch))
	w.over()
	old.awaitCount(0, "derp_watchers")
}

// A mesh key of another form is none: nobody proves it, and nothing else suffers.
func TestMeshKeyForms(t *testing.T) {
	for _, digits := range []string{strings.Repeat("5a", 31), strings.Repeat("5a", 33), strings.Repeat("zz", 32)} {
		if kind == "derper" { // it does not start
			r := prepare(t, how{meshKey: digits})
			r.fails()
			continue
		}
		r := start(t, how{meshKey: digits})
		w := r.wire()
		w.say(frame(frameWatch))
		w.over()
		r.join().pong()
	}
	// White space about it is not part of it; the all-zero key proves nothing.
	r := start(t, how{meshKey: " " + meshKey + "\t"})
	r.meshKey = meshKey
	if kind == "derper" {
		r.mesh("").ping()
	}
	r = start(t, how{meshKey: strings.Repeat("0", 64)})
	w := r.dial(0).enter(`{"version":2,"meshKey":"` + r.meshKey + `"}`)
	w.ping()
	w.say(frame(frameWatch))
	w.over()
}

// fails starts a relay that is to end by itself at once, with another status than 0.
func (r *relay) fails() {
	r.t.Helper()
	r.begin()
	select {
	case <-r.ended:
		if r.process.ProcessState.ExitCode() == 0 {
			r.t.Error("status 0")
		}
	case <-time.After(ending):
		r.process.Process.Kill()
		r.t.Errorf("the relay starts:\n%s", r.log())
	}
	r.process = nil
}

// endsWell waits for the end of one that was told to.
func (r *relay) endsWell() {
	r.t.Helper()
	select {
	case <-r.ended:
		if code := r.process.ProcessState.ExitCode(); code != 0 {
			r.t.Errorf("status %d\n%s", code, r.log())
		}
		r.process = nil
	case <-time.After(ending):
		r.t.Fatal("it does not end")
	}
}

// In order: no new connection and no STUN answer once it has been told to end; clients are sent away; status 0.
func TestEnds(t *testing.T) {
	r := start(t, how{})
	a, b := r.join(), r.join()
	a.sends(b, []byte("x"))
	if kind == "derper" { // it has no order to show
		r.kill()
	} else {
		r.process.Process.Signal(terminate)
		for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			c, err := net.Dial("tcp", r.at())
			if err != nil {
				break
			}
			c.Close()
			if time.Now().After(end) {
				t.Fatal("its door stays open")
			}
		}
	}
	if kind == "ours" {
		c := r.stunDial()
		c.Write(stun.Request(stun.NewTxID()))
		c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		if n, err := c.Read(make([]byte, 1500)); err == nil {
			t.Fatalf("STUN is answered, %d bytes", n)
		}
	}
	for _, p := range []*peer{a, b} {
		select {
		case <-p.end:
		case <-time.After(patience):
			t.Fatal("a client stays")
		}
	}
	if c, err := net.Dial("tcp", r.at()); err == nil {
		c.Close()
		t.Fatal("its door is open")
	}
	if kind == "ours" {
		r.endsWell()
	}
}
