//go:build !release164 && !release180

package relaylist

import (
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"tailscale.com/types/key"
)

// A keep-alive comes each 60 to 65 seconds, to the idle and to the busy; nobody is sent away meanwhile for saying nothing.
func TestKeepAlive(t *testing.T) {
	r := start(t, how{})
	begun := time.Now()
	idle, busy, feeder := r.wire(), r.wire(), r.wire()
	for _, w := range []*wire{idle, busy, feeder} {
		w.SetDeadline(begun.Add(2 * time.Minute))
	}
	stop, fed := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				fed <- nil
				return
			case <-time.After(20 * time.Millisecond):
				if _, err := feeder.Write(frame(frameSend, raw(busy.key), make([]byte, 100))); err != nil {
					fed <- err
					return
				}
			}
		}
	}()
	type beat struct {
		who   string
		after time.Duration
		err   error
	}
	beats := make(chan beat, 2)
	for who, w := range map[string]*wire{"idle": idle, "busy": busy} {
		go func() {
			for {
				got, _, err := w.frame()
				if err != nil || got == frameKeepAlive {
					beats <- beat{who, time.Since(begun), err}
					return
				}
			}
		}()
	}
	for range 2 {
		if b := <-beats; b.err != nil || b.after < 59*time.Second || b.after > 75*time.Second {
			t.Fatalf("%+v", b)
		}
	}
	close(stop)
	if err := <-fed; err != nil {
		t.Fatal(err)
	}
	idle.ping()
}

// A client whose host vanishes: what it is sent is acknowledged by nobody, and after 15 seconds it counts as gone.
func TestVanishedClient(t *testing.T) {
	r := start(t, how{})
	a, stays := r.join(), r.join()
	w := r.wire()
	w.say(frame(frameSend, raw(a.key), []byte("so that a hears of its end")))
	if got := a.next(); got == nil {
		t.Fatal()
	}
	// From here its host takes nothing: not even an acknowledgement goes out.
	c, err := w.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	nothing := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	if err := c.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing[0]})
	}); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	a.send(w.key, make([]byte, 1000))
	m := <-a.in
	t.Logf("%T %v after %v", m, m, time.Since(begun))
	r.awaitCount(2, "derp_clients_local")
	if after := time.Since(begun); after < 10*time.Second || after > 30*time.Second {
		t.Fatalf("gone after %v", after)
	}
	r.awaitMore(0, 1, "derp_disconnects_total", "reason=silent")
	a.sends(stays, []byte("still"))
}

// One key at many connections that come, speak and go all the while: each packet goes to one of them, others are unharmed, and nothing is left over.
func TestFlapping(t *testing.T) {
	r := start(t, how{tls: true})
	a, b, sender := r.join(), r.join(), r.join()
	private := key.NewNode()
	const flappers = 4
	var rounds [flappers]atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	for i := range flappers {
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				p, err := r.tryJoin(false, private)
				if err != nil {
					t.Errorf("the key is refused: %v", err)
					return
				}
				p.NotePreferred(rounds[i].Load()%2 == 0)
				p.SendPing([8]byte{1})
				p.Send(a.key, disco(62))
				p.Close()
				rounds[i].Add(1)
			}
		}()
	}
	heard := make(chan struct{})
	go func() {
		for range a.in {
			select {
			case heard <- struct{}{}:
			default:
			}
		}
	}()
	someWait := func() bool {
		for i := range rounds {
			if rounds[i].Load() < 2 {
				return true
			}
		}
		return false
	}
	for n, end := 0, time.Now().Add(3*patience); n < 200 || someWait(); n++ {
		if time.Now().After(end) {
			t.Error("not all of them come and go")
			break
		}
		b.sends(b, []byte(strconv.Itoa(n)))
		sender.send(private.Public(), []byte("to whichever"))
		sender.send(private.Public(), disco(62))
	}
	<-heard
	close(stop)
	for range flappers {
		<-done
	}
	r.awaitCount(3, "derp_current_connections")
	for _, name := range []string{"derp_current_dup_client_keys", "derp_current_dup_client_conns", "derp_current_home_connections"} {
		r.awaitCount(0, name)
	}
	r.awaitCount(3, "derp_clients_local")
	b.quiet()
	sender.absentNow(private.Public())
}

// absentNow is absent for one who may have much in its ears.
func (p *peer) absentNow(who key.NodePublic) {
	p.t.Helper()
	for {
		select {
		case <-p.in:
			continue
		case <-time.After(1200 * time.Millisecond): // farewells have tokens, one a second
		}
		break
	}
	p.absent(who, "after all have left")
}

// Who is slow before there is a relay connection: nothing said at all, half a hello, a request that dribbles. Half a minute for each, and
// nobody else waits.
func TestSlowRequest(t *testing.T) {
	r := start(t, how{tls: true})
	bystander := r.join()
	begun := time.Now()
	type end struct {
		who   string
		after time.Duration
	}
	ends := make(chan end, 3)
	watch := func(who string, c net.Conn) {
		t.Cleanup(func() { c.Close() })
		go func() {
			c.SetReadDeadline(begun.Add(90 * time.Second))
			readAll(c)
			ends <- end{who, time.Since(begun)}
		}()
	}
	plain := func() net.Conn {
		c, err := net.Dial("tcp", r.at())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	watch("silent", plain())
	half := plain()
	half.Write([]byte("\x16\x03\x01\x02\x00\x01\x00\x01"))
	watch("half a hello", half)
	dribbling := r.dial(0)
	dribbling.say([]byte("GET /derp HTTP/1.1\r\nHost: relay\r\nX-Long: "))
	watch("dribbling", dribbling.Conn)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
				if _, err := dribbling.Write([]byte{'x'}); err != nil {
					return
				}
			}
		}
	}()
	for range 3 {
		e := <-ends
		t.Logf("%s: %v", e.who, e.after)
		if e.after > 60*time.Second {
			t.Fatalf("%s: never ended", e.who)
		}
		bystander.pong()
	}
}
