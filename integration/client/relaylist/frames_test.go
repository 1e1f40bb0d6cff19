//go:build !release164 && !release180

package relaylist

import (
	"encoding/binary"
	"strings"
	"syscall"
	"testing"
	"time"

	"tailscale.com/types/key"
)

const hangup, terminate = syscall.SIGHUP, syscall.SIGTERM

// Headers and contents may come in any pieces.
func TestByteByByte(t *testing.T) {
	overStreams(t, how{}, func(t *testing.T, r *relay, _ dialer) {
		w := r.dial(0)
		w.crumble([]byte(upgrade + "\r\n"))
		w.say(nil)
		line, err := w.in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		contains(t, line, "101")
		for line != "\r\n" {
			if line, err = w.in.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		w.serverKey()
		w.crumble(w.info(usualInfo))
		w.expect(frameServerInfo)
		w.crumble(frame(0x77, []byte("unknown")))
		w.crumble(frame(framePing, []byte("12345678")))
		equal(t, w.expect(framePong), []byte("12345678"))
		w.crumble(frame(frameSend, raw(w.key), []byte("to myself")))
		equal(t, w.expect(frameRecv), append(raw(w.key), "to myself"...))
	})
}

// ClientInfo, NotePreferred, SendPacket and Ping in one write, before ServerInfo was heard.
func TestAllInOneWrite(t *testing.T) {
	overStreams(t, how{}, func(t *testing.T, r *relay, _ dialer) {
		w := r.dial(0)
		w.switches()
		w.serverKey()
		all := w.info(usualInfo)
		all = append(all, frame(framePrefer, []byte{1})...)
		all = append(all, frame(frameSend, raw(w.key), []byte("early"))...)
		w.say(append(all, frame(framePing, []byte("12345678"))...))
		w.expect(frameServerInfo)
		packet, pong := false, false
		for !packet || !pong {
			switch kind, _, err := w.frame(); {
			case err != nil:
				t.Fatal(err)
			case kind == frameRecv:
				packet = true
			case kind == framePong:
				pong = true
			}
		}
		r.awaitCount(1, "derp_current_home_connections")
	})
}

func TestClientInfoForms(t *testing.T) {
	r := start(t, how{})
	bystander := r.join()
	good := []string{`{"version":2}`, `{}`, `{"VERSION":2,"canackpings":true,"isprober":false,"appname":"x"}`, ` {"version" : 2 , "Other":[1,{"a":null}]} `,
		`{"version":7}`, `{"meshKey":"` + strings.Repeat("0", 64) + `"}`, `{"MeshKey":"` + strings.Repeat("aB", 32) + `"}`}
	for _, json := range good {
		w := r.dial(0).enter(json)
		w.ping()
		w.Close()
	}
	bad := []string{``, `{`, `[]`, `7`, `{"version":"2"}`, `{"version":2}x`, `{"CanAckPings":1}`, `{"IsProber":"no"}`, `{"AppName":7}`, `{"meshKey":""}`,
		`{"meshKey":"abc"}`, `{"meshKey":"` + strings.Repeat("0", 63) + `"}`, `{"meshKey":"` + strings.Repeat("z", 64) + `"}`,
		`{"meshKey":"` + strings.Repeat("0", 66) + `"}`, `{"meshKey":7}`, `{"version":1.5}`}
	for _, json := range bad {
		w := r.dial(0)
		w.switches()
		w.serverKey()
		w.say(w.info(json))
		if kind, payload, err := w.frame(); err == nil {
			t.Fatalf("%s: frame %#x %x", json, kind, payload)
		}
	}
	bystander.quiet()
	r.awaitCount(1, "derp_current_connections")
	r.awaitMore(0, len(bad), "derp_handshake_failures_total", "reason=bad_frame")
}

// Another first frame, a wrong length, a box that is not for this relay or not by this key: the connection ends.
func TestBadHandshakes(t *testing.T) {
	r := start(t, how{})
	bystander := r.join()
	const malformed, forged = "reason=bad_frame", "reason=wrong_box"
	failed := map[string]int{}
	for _, why := range []string{malformed, forged} {
		failed[why] = r.complaints("derp_handshake_failures_total", why)
	}
	strangers := map[string]func(w *wire) []byte{
		"http again": func(*wire) []byte { return []byte("GET / HTTP/1.1\r\n\r\n") },
		"a ping":     func(*wire) []byte { return frame(framePing, []byte("12345678")) },
		"a packet":   func(w *wire) []byte { return frame(frameSend, raw(w.key), []byte("x")) },
		"too short":  func(*wire) []byte { return frame(frameClientInfo, make([]byte, 55)) },
		"no box":     func(*wire) []byte { return frame(frameClientInfo, make([]byte, 120)) },
		"too long":   func(*wire) []byte { return []byte{frameClientInfo, 0, 4, 0, 1} },
		"endless":    func(*wire) []byte { return []byte{frameClientInfo, 255, 255, 255, 255} },
		"another's key": func(w *wire) []byte {
			return frame(frameClientInfo, raw(bystander.key), w.private.SealTo(w.relay, []byte(usualInfo)))
		},
		"another relay": func(w *wire) []byte {
			return frame(frameClientInfo, raw(w.key), w.private.SealTo(key.NewNode().Public(), []byte(usualInfo)))
		},
		"the zero key": func(w *wire) []byte {
			return frame(frameClientInfo, make([]byte, 32), w.private.SealTo(w.relay, []byte(usualInfo)))
		},
		"a broken box": func(w *wire) []byte { b := w.info(usualInfo); b[len(b)-1] ^= 1; return b },
		"a low order key": func(w *wire) []byte {
			return frame(frameClientInfo, append([]byte{1}, make([]byte, 31)...), w.private.SealTo(w.relay, []byte(usualInfo)))
		},
	}
	for name, first := range strangers {
		w := r.dial(0)
		w.switches()
		w.serverKey()
		w.say(first(w))
		if kind, payload, err := w.frame(); err == nil {
			t.Fatalf("%s: frame %#x %x", name, kind, payload)
		}
	}
	bystander.quiet()
	r.awaitCount(1, "derp_clients_local")
	const shapeless = 8 // the zero key is one of no client, "no box" has that as well
	r.awaitMore(failed[malformed], shapeless, "derp_handshake_failures_total", malformed)
	r.awaitMore(failed[forged], len(strangers)-shapeless, "derp_handshake_failures_total", forged)
}

// Ten seconds for ClientInfo, however busily it dribbles in.
func TestSlowHandshake(t *testing.T) {
	r := start(t, how{tls: true})
	bystander := r.join()
	before := time.Now()
	silent, dribbling := r.dial(0), r.dial(0)
	for _, w := range []*wire{silent, dribbling} {
		w.switches()
		w.serverKey()
	}
	begun := time.Now() // the relay's ten seconds did between these two
	ended := make(chan time.Time, 2)
	for _, w := range []*wire{silent, dribbling} {
		go func() {
			w.frame()
			ended <- time.Now()
		}()
	}
	dribbling.Write([]byte{frameClientInfo, 0, 4, 0, 0})
	for range 400 {
		if _, err := dribbling.Write([]byte{0}); err != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
		if time.Since(begun) > 15*time.Second {
			break
		}
	}
	for range 2 {
		select {
		case at := <-ended:
			if at.Sub(before) < 9*time.Second || at.Sub(begun) > 14*time.Second {
				t.Fatalf("ended after %v", at.Sub(begun))
			}
		case <-time.After(patience):
			t.Fatal("a slow handshake does not end")
		}
	}
	bystander.quiet()
	r.awaitMore(0, 2, "derp_handshake_failures_total", "reason=timeout")
}

// Breaches end the connection, and that one only.
func TestBreaches(t *testing.T) {
	overStreams(t, how{}, func(t *testing.T, r *relay, _ dialer) {
		a, b := r.join(), r.join()
		for name, breach := range map[string][]byte{
			"a packet without a key":        frame(frameSend, make([]byte, 31)),
			"no packet at all":              frame(frameSend),
			"a packet past the largest":     frame(frameSend, make([]byte, 32+65537)),
			"a packet of 4 GiB":             append([]byte{frameSend, 255, 255, 255, 255}, make([]byte, 32)...),
			"home without a byte":           frame(framePrefer),
			"home of two bytes":             frame(framePrefer, []byte{1, 1}),
			"a ping of 7 bytes":             frame(framePing, make([]byte, 7)),
			"a ping of 1001 bytes":          frame(framePing, make([]byte, 1001)),
			"watching without a mesh key":   frame(frameWatch),
			"closing without a mesh key":    frame(frameClose, make([]byte, 32)),
			"forwarding without a mesh key": frame(frameForward, make([]byte, 64+10)),
			"a packet past, begun only":     append([]byte{frameSend, 0, 1, 0, 0x21}, make([]byte, 32)...),
		} {
			why := "reason=length"
			if strings.HasSuffix(name, "without a mesh key") {
				why = "reason=forbidden"
			}
			before, ended := r.complaints("derp_bad_frames_total", why), r.complaints("derp_disconnects_total", "reason=bad_frame")
			w := r.wire()
			w.Write(breach)
			t.Log(name)
			w.over()
			a.sends(b, []byte("unharmed"))
			r.awaitMore(before, 1, "derp_bad_frames_total", why)
			r.awaitMore(ended, 1, "derp_disconnects_total", "reason=bad_frame")
		}
	})
}

// Pings of 8 to 1000 bytes; the first eight come back.
func TestPingSizes(t *testing.T) {
	over(t, how{}, func(t *testing.T, r *relay, dial dialer) {
		dial().pong()
		w := r.wire()
		for _, size := range []int{8, 9, 1000} {
			ping := make([]byte, size)
			binary.BigEndian.PutUint64(ping, uint64(size)<<32|7)
			w.say(frame(framePing, ping))
			equal(t, w.expect(framePong), ping[:8])
		}
	})
}

// What a relay does not know it skips, however long; also what says nothing to it.
func TestSkippedFrames(t *testing.T) {
	r := start(t, how{})
	w := r.wire()
	for _, skipped := range [][]byte{frame(0x7e), frame(0x7e, make([]byte, 3_000_000)), w.info(usualInfo), frame(framePong, []byte("12345678")),
		frame(frameServerInfo, []byte("x")), frame(frameRecv, make([]byte, 40)), frame(frameKeepAlive), frame(frameGone, make([]byte, 33)),
		frame(0x14, []byte("ill")), frame(0x15, make([]byte, 8)), frame(0xff, []byte{1})} {
		w.say(skipped)
		w.ping()
	}
	r.awaitMore(0, 11, "derp_unknown_frames_total")
	// Two GiB are announced: what follows is skipped, the connection stands.
	w.say([]byte{0x7e, 0x80, 0, 0, 0})
	w.say(frame(framePing, []byte("12345678")))
	w.stays(300 * time.Millisecond)
	if got := r.counted("derp_current_connections"); got != 1 {
		t.Fatalf("%d connections", got)
	}
}

// A wrong or zero mesh key is that of a regular client, to whom mesh frames are a breach.
func TestWrongMeshKey(t *testing.T) {
	r := start(t, how{meshKey: strings.Repeat("5a", 32)})
	for _, digits := range []string{strings.Repeat("0", 64), strings.Repeat("5b", 32)} {
		w := r.dial(0).enter(`{"version":2,"meshKey":"` + digits + `"}`)
		w.ping()
		w.say(frame(frameWatch))
		w.over()
	}
}
