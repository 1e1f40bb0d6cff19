//go:build !release164 && !release180

package relaylist

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"tailscale.com/derp"
	"tailscale.com/types/key"
)

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
		const most, often, least = 1000, 50, 64
		a, slow := r.join(), r.dial(65536).enter(usualInfo)
		// Kernels take megabytes, and once they take no more it has two seconds to read.
		count, discos := 0, 0
		for count < most && r.counted("derp_packets_dropped", "reason=queue_head") < least {
			for range often {
				text := make([]byte, 16384)
				binary.BigEndian.PutUint32(text, uint32(count))
				a.send(slow.key, text)
				count++
			}
			text := disco(200)
			binary.BigEndian.PutUint32(text[100:], uint32(discos))
			a.send(slow.key, text)
			discos++
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
		r.awaitCount(count-got, "derp_packets_dropped", "reason=queue_head")
	})
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
	twin := r.dial(0) // another connection of its key
	twin.private, twin.key = old.private, old.key
	twin.enter(usualInfo)
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
		for _, w := range []*wire{old, twin} {
			w.say(frame(frameSend, raw(w.key), make([]byte, 65536)))
			w.expect(frameRecv)
		}
	}
	reload(`{"PerClientRateLimitBytesPerSec":100000,"PerClientRateBurstBytes":70000}`)
	for _, w := range []*wire{old, twin} {
		for end := time.Now().Add(patience); ; {
			begun := time.Now()
			for range 4 {
				w.say(frame(frameSend, raw(w.key), make([]byte, 65536)))
				w.expect(frameRecv)
			}
			if time.Since(begun) > time.Second {
				break
			}
			if time.Now().After(end) {
				t.Fatal("the new limit does not come to old connections")
			}
		}
	}
}

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
