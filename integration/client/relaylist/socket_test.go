//go:build !release164 && !release180

package relaylist

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"testing"

	"github.com/coder/websocket"
	"tailscale.com/types/key"
)

// socketEars reads the messages of a WebSocket as a stream, and notes the largest.
type socketEars struct {
	ctx  context.Context
	c    *websocket.Conn
	now  io.Reader
	size int
	most int
}

func (s *socketEars) Read(p []byte) (int, error) {
	for {
		if s.now == nil {
			kind, in, err := s.c.Reader(s.ctx)
			if err != nil {
				return 0, err
			}
			if kind != websocket.MessageBinary {
				return 0, io.ErrUnexpectedEOF
			}
			s.now, s.size = in, 0
		}
		n, err := s.now.Read(p)
		s.size += n
		s.most = max(s.most, s.size)
		if err == io.EOF {
			s.now, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// bridged is a wire over a WebSocket, past ServerInfo.
func (r *relay) bridged() (*wire, *socketEars) {
	r.t.Helper()
	c, _, err := r.socket("derp")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.CloseNow() })
	c.SetReadLimit(-1)
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	r.t.Cleanup(cancel)
	ears := &socketEars{ctx: ctx, c: c}
	w := &wire{Conn: websocket.NetConn(ctx, c, websocket.MessageBinary), t: r.t, in: bufio.NewReaderSize(ears, 65536), private: key.NewNode()}
	w.key = w.private.Public()
	w.serverKey()
	w.say(w.info(usualInfo))
	w.expect(frameServerInfo)
	return w, ears
}

// The largest packets in bulk through a WebSocket, both ways: no message of the relay is larger than its peers take.
func TestWebSocketSizes(t *testing.T) {
	const taken, count, inFlight = 32768, 200, 30
	r := start(t, how{tls: true})
	w, ears := r.bridged()
	a := r.join()
	size := 65536
	if kind == "derper" { // one message per packet, whatever its size
		size = 30000
	}
	text := make([]byte, size)
	rand.Read(text)
	room, failed := make(chan struct{}, inFlight), make(chan error, 1)
	go func() {
		for n := range count {
			room <- struct{}{}
			packet := bytes.Clone(text)
			binary.BigEndian.PutUint32(packet, uint32(n))
			if err := a.Send(w.key, packet); err != nil {
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
		got := w.expect(frameRecv)
		if from := got[:32]; !bytes.Equal(from, raw(a.key)) || binary.BigEndian.Uint32(got[32:]) != uint32(n) {
			t.Fatalf("packet %d where %d was due", binary.BigEndian.Uint32(got[32:]), n)
		}
		equal(t, got[36:], text[4:])
		<-room
	}
	if ears.most > taken {
		t.Fatalf("a message of %d bytes", ears.most)
	}
	// The other way: the largest packet, in messages as large as may be, and such of one byte.
	text = make([]byte, 65536)
	rand.Read(text)
	packet := frame(frameSend, raw(a.key), text)
	for at := 0; at < len(packet); at += taken {
		w.say(packet[at:min(at+taken, len(packet))])
	}
	equal(t, a.packet(&peer{key: w.key}), text)
	for _, b := range frame(frameSend, raw(a.key), []byte("crumbs")) {
		w.say([]byte{b})
	}
	equal(t, a.packet(&peer{key: w.key}), []byte("crumbs"))
}

// A message that is larger than the relay takes ends its connection, and that one only. Ours takes twice what the stock relay does in a
// piece, so that the largest packets of clients that cut nothing come through.
func TestWebSocketTooLarge(t *testing.T) {
	r := start(t, how{tls: true})
	a := r.join()
	least := 32768
	if kind == "ours" {
		least = 65536
		w, _ := r.bridged()
		w.say(frame(0x7e, make([]byte, least-5)))
		w.ping()
		w.Close()
		r.awaitCount(1, "derp_current_connections")
	}
	ended := r.complaints("derp_disconnects_total")
	w, _ := r.bridged()
	w.Write(frame(0x7e, make([]byte, least+1-5)))
	w.over()
	r.awaitCount(1, "derp_current_connections")
	r.awaitMore(ended, 1, "derp_disconnects_total")
	a.pong()
}
