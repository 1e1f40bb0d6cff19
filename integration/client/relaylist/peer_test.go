package relaylist

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/envknob"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// ---- the official client ----

type peer struct {
	*derphttp.Client
	t       *testing.T
	private key.NodePrivate
	key     key.NodePublic
	in      chan derp.ReceivedMessage
	end     chan error
}

// over runs a test once per transport, each with a relay of its own.
func over(t *testing.T, h how, test func(t *testing.T, r *relay, dial func(...func(*derphttp.Client)) *peer)) {
	for _, transport := range []string{"plain", "tls", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			h := h
			h.tls = transport != "plain"
			r := start(t, h)
			test(t, r, func(more ...func(*derphttp.Client)) *peer {
				return r.joinBy(transport == "websocket", key.NewNode(), more...)
			})
		})
	}
}

func (r *relay) join(more ...func(*derphttp.Client)) *peer {
	return r.joinBy(false, key.NewNode(), more...)
}

// region is how a map would tell of this relay.
func (r *relay) region() *tailcfg.DERPRegion {
	return &tailcfg.DERPRegion{RegionID: 900, RegionCode: "list", Nodes: []*tailcfg.DERPNode{
		{Name: "900a", RegionID: 900, HostName: r.name, IPv4: r.host, IPv6: "none", DERPPort: r.port, InsecureForTests: true}}}
}

func (r *relay) official(private key.NodePrivate) *derphttp.Client {
	r.t.Helper()
	logf := func(string, ...any) {}
	if r.tls {
		return regionClient(private, logf, r.region)
	}
	c, err := urlClient(private, r.url("/derp"), logf)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *relay) joinBy(websocket bool, private key.NodePrivate, more ...func(*derphttp.Client)) *peer {
	r.t.Helper()
	p, err := r.tryJoin(websocket, private, more...)
	if err != nil {
		r.t.Fatalf("joining: %v", err)
	}
	return p
}

// tryJoin connects and hears ServerInfo, so that the relay knows the key.
func (r *relay) tryJoin(websocket bool, private key.NodePrivate, more ...func(*derphttp.Client)) (*peer, error) {
	r.t.Helper()
	c := r.official(private)
	if websocket {
		// Unlike the region's, this URL has no port that the client would want to see.
		c.Close()
		var err error
		if c, err = urlClient(private, r.url("/derp"), func(string, ...any) {}); err != nil {
			return nil, err
		}
	}
	for _, change := range more {
		change(c)
	}
	p := &peer{Client: c, t: r.t, private: private, key: private.Public(), in: make(chan derp.ReceivedMessage, 4096), end: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	envknob.Setenv("TS_DEBUG_DERP_WS_CLIENT", map[bool]string{true: "1", false: "0"}[websocket])
	err := c.Connect(ctx)
	if err != nil {
		c.Close()
		return nil, err
	}
	r.t.Cleanup(func() { c.Close() })
	first := make(chan error, 1)
	go p.hear(first)
	return p, <-first
}

func (p *peer) hear(first chan<- error) {
	m, gen, err := p.RecvDetail()
	if _, ok := m.(derp.ServerInfoMessage); err == nil && !ok {
		err = fmt.Errorf("the first message is %T %v", m, m)
	}
	first <- err
	for err == nil {
		var now int
		if m, now, err = p.RecvDetail(); err == nil && now != gen {
			err = errors.New("connected anew")
		}
		if err != nil {
			break
		}
		switch got := m.(type) {
		case derp.KeepAliveMessage:
		case derp.ReceivedPacket:
			got.Data = bytes.Clone(got.Data) // it is the client's only until the next message
			p.in <- got
		default:
			p.in <- m
		}
	}
	p.end <- err
}

func (p *peer) next() derp.ReceivedMessage {
	p.t.Helper()
	select {
	case m := <-p.in:
		return m
	case err := <-p.end:
		p.t.Fatalf("the connection ended: %v", err)
	case <-time.After(patience):
		p.t.Fatal("nothing comes")
	}
	return nil
}

func (p *peer) packet(from *peer) []byte {
	p.t.Helper()
	m := p.next()
	got, ok := m.(derp.ReceivedPacket)
	if !ok || got.Source != from.key {
		p.t.Fatalf("a packet of %v was due, not %T %.200v", from.key.ShortString(), m, m)
	}
	return got.Data
}

// sends checks one packet from here to there.
func (p *peer) sends(to *peer, text []byte) {
	p.t.Helper()
	p.send(to.key, text)
	equal(p.t, to.packet(p), text)
}

func (p *peer) send(to key.NodePublic, text []byte) {
	p.t.Helper()
	if err := p.Send(to, text); err != nil {
		p.t.Fatalf("sending: %v", err)
	}
}

func (p *peer) pong() {
	p.t.Helper()
	if err := p.SendPing([8]byte{1, 2, 3, 4, 5, 6, 7, 8}); err != nil {
		p.t.Fatal(err)
	}
	if m := p.next(); m != (derp.PongMessage{1, 2, 3, 4, 5, 6, 7, 8}) {
		p.t.Fatalf("a pong was due, not %T %v", m, m)
	}
}

func (p *peer) gone(who key.NodePublic, why derp.PeerGoneReasonType) {
	p.t.Helper()
	m := p.next()
	if got, ok := m.(derp.PeerGoneMessage); !ok || got.Peer != who || got.Reason != why {
		p.t.Fatalf("peer gone (%v) was due, not %T %v", why, m, m)
	}
}

// quiet waits for what must not come.
func (p *peer) quiet() {
	p.t.Helper()
	p.pong()
	select {
	case m := <-p.in:
		p.t.Fatalf("unexpected %T %.200v", m, m)
	case err := <-p.end:
		p.t.Fatalf("the connection ended: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
}

func (p *peer) leave() { p.Close() }

func disco(len int) []byte { return append([]byte("TS💬"), make([]byte, len-6)...) }

// ---- bare sockets ----

const (
	frameServerKey, frameClientInfo, frameServerInfo  = 1, 2, 3
	frameSend, frameRecv, frameKeepAlive, framePrefer = 4, 5, 6, 7
	frameGone, framePresent, frameForward             = 8, 9, 10
	frameWatch, frameClose, framePing, framePong      = 16, 17, 18, 19
)

type wire struct {
	net.Conn
	t       *testing.T
	in      *bufio.Reader
	private key.NodePrivate
	key     key.NodePublic
	relay   key.NodePublic
}

func frame(kind byte, payload ...[]byte) []byte {
	var all []byte
	for _, p := range payload {
		all = append(all, p...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(all))), all...)
}

func raw(k key.NodePublic) []byte { return k.AppendTo(nil) }

// dial is a connection with TLS if the relay has that. A small receive buffer lets the relay feel a reader that stops.
func (r *relay) dial(receiveBuffer int) *wire {
	r.t.Helper()
	d := net.Dialer{Timeout: patience}
	c, err := d.Dial("tcp", r.at())
	if err != nil {
		r.t.Fatal(err)
	}
	if receiveBuffer > 0 {
		c.(*net.TCPConn).SetReadBuffer(receiveBuffer)
	}
	if r.tls {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}})
	}
	c.SetDeadline(time.Now().Add(3 * patience))
	r.t.Cleanup(func() { c.Close() })
	private := key.NewNode()
	return &wire{Conn: c, t: r.t, in: bufio.NewReader(c), private: private, key: private.Public()}
}

func (w *wire) say(text []byte) {
	w.t.Helper()
	if _, err := w.Write(text); err != nil {
		w.t.Fatalf("writing: %v", err)
	}
}

// crumble says it byte by byte; the pauses are short but let packets part.
func (w *wire) crumble(text []byte) {
	w.t.Helper()
	for i := range text {
		w.say(text[i : i+1])
		time.Sleep(200 * time.Microsecond)
	}
}

const upgrade = "GET /derp HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: DERP\r\n"

// switches asks for the protocol and reads the 101.
func (w *wire) switches() *http.Response {
	w.t.Helper()
	w.say([]byte(upgrade + "\r\n"))
	res, err := http.ReadResponse(w.in, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if res.StatusCode != 101 {
		w.t.Fatalf("status %d, not 101", res.StatusCode)
	}
	return res
}

func (w *wire) frame() (byte, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return 0, nil, err
	}
	payload := make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err := io.ReadFull(w.in, payload)
	return head[0], payload, err
}

// expect reads a frame of one type, past keep-alives and news of limits.
func (w *wire) expect(kind byte) []byte {
	w.t.Helper()
	for {
		got, payload, err := w.frame()
		if err != nil {
			w.t.Fatalf("frame %#x was due: %v", kind, err)
		}
		if (got == frameKeepAlive || got == frameServerInfo) && kind != got {
			continue
		}
		if got != kind {
			w.t.Fatalf("frame %#x was due, not %#x %.100x", kind, got, payload)
		}
		return payload
	}
}

func (w *wire) serverKey() {
	w.t.Helper()
	p := w.expect(frameServerKey)
	if len(p) < 40 || string(p[:8]) != "DERP🔑" {
		w.t.Fatalf("server key %x", p)
	}
	w.relay = publicKey(w.t, hex.EncodeToString(p[8:40]))
}

func publicKey(t *testing.T, digits string) (k key.NodePublic) {
	t.Helper()
	if err := k.UnmarshalText([]byte("nodekey:" + digits)); err != nil {
		t.Fatal(err)
	}
	return k
}

const usualInfo = `{"version":2,"CanAckPings":true}`

func (w *wire) info(json string) []byte {
	return frame(frameClientInfo, raw(w.key), w.private.SealTo(w.relay, []byte(json)))
}

// enter goes all the way to ServerInfo.
func (w *wire) enter(json string) *wire {
	w.t.Helper()
	w.switches()
	w.serverKey()
	w.say(w.info(json))
	w.expect(frameServerInfo)
	return w
}

func (r *relay) wire() *wire {
	r.t.Helper()
	return r.dial(0).enter(usualInfo)
}

func (w *wire) ping() {
	w.t.Helper()
	w.say(frame(framePing, []byte("12345678")))
	equal(w.t, w.expect(framePong), []byte("12345678"))
}

// over waits for the relay to end the connection; frames before that are skipped.
func (w *wire) over() {
	w.t.Helper()
	w.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, w.in)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Fatal("the relay does not end the connection")
	}
}

// stays makes sure that the relay does not end the connection and says nothing for a while.
func (w *wire) stays(time_ time.Duration) {
	w.t.Helper()
	w.SetReadDeadline(time.Now().Add(time_))
	b, err := w.in.Peek(1)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Fatalf("silence was due, not %x %v", b, err)
	}
	w.SetReadDeadline(time.Now().Add(3 * patience))
	// The timed-out read stays with the buffer as its error.
	w.in = bufio.NewReader(w.Conn)
}

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Fatalf("no %q in %.300q", part, text)
	}
}
