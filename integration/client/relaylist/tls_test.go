//go:build !release164 && !release180

package relaylist

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"tailscale.com/derp/derphttp"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

func (r *relay) handshake(c *tls.Config) (*tls.Conn, error) {
	c.InsecureSkipVerify = true
	d := &net.Dialer{Timeout: patience, Deadline: time.Now().Add(patience)}
	return tls.DialWithDialer(d, "tcp", r.at(), c)
}

// The last certificate of the chain tells the relay's key; the others are as they were.
func TestMetaCert(t *testing.T) {
	r := start(t, how{tls: true})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c, err := r.handshake(&tls.Config{MinVersion: version, MaxVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		chain := c.ConnectionState().PeerCertificates
		c.Close()
		if len(chain) != 2 || !bytes.Equal(chain[0].Raw, r.leaf.Raw) {
			t.Fatalf("%d certificates", len(chain))
		}
		meta := chain[1]
		w := r.dial(0)
		w.switches()
		w.serverKey()
		if want := "derpkey" + strings.TrimPrefix(w.relay.String(), "nodekey:"); meta.Subject.CommonName != want || meta.Issuer.CommonName != want {
			t.Fatal(meta.Subject, meta.Issuer)
		}
		if meta.SerialNumber.Int64() != 2 || meta.IsCA || !meta.BasicConstraintsValid || meta.PublicKeyAlgorithm != x509.Ed25519 {
			t.Fatalf("%+v", meta)
		}
		if err := meta.CheckSignature(x509.PureEd25519, meta.RawTBSCertificate, meta.Signature); err != nil {
			t.Fatal(err)
		}
		if _, ok := meta.PublicKey.(ed25519.PublicKey); !ok {
			t.Fatalf("%T", meta.PublicKey)
		}
		day := 24 * time.Hour
		if from, to := time.Since(meta.NotBefore), time.Until(meta.NotAfter); from < 29*day || from > 31*day || to < 29*day || to > 31*day {
			t.Fatal(meta.NotBefore, meta.NotAfter)
		}
	}
}

// The request and ClientInfo in one segment; no word of HTTP comes back, and ServerKey all the same.
func TestFastStart(t *testing.T) {
	r := start(t, how{tls: true})
	known := r.dial(0)
	known.switches()
	known.serverKey()
	for _, dribbled := range []bool{false, true} {
		w := r.dial(0)
		w.relay = known.relay
		first := append([]byte(upgrade+"Derp-Fast-Start: 1\r\n\r\n"), w.info(usualInfo)...)
		if dribbled {
			w.crumble(first)
		} else {
			w.say(first)
		}
		w.serverKey()
		w.expect(frameServerInfo)
		w.ping()
	}
	// Cut in two at each byte: of the request, of what lies behind it, and between them.
	whole := func(w *wire) []byte {
		all := append([]byte("GET /derp HTTP/1.1\r\nHost: r\r\nConnection: Upgrade\r\nUpgrade: DERP\r\nDerp-Fast-Start: 1\r\n\r\n"), w.info(usualInfo)...)
		return append(all, frame(framePing, []byte("12345678"))...)
	}
	probe := r.dial(0)
	probe.relay = known.relay
	for at := 1; at < len(whole(probe)); at++ {
		w := r.dial(0)
		w.relay = known.relay
		first := whole(w)
		w.say(first[:at])
		time.Sleep(2 * time.Millisecond) // so that they are read apart
		w.say(first[at:])
		w.serverKey()
		w.expect(frameServerInfo)
		equal(t, w.expect(framePong), []byte("12345678"))
		w.Close()
	}
	// Much behind the request.
	w := r.dial(0)
	w.relay = known.relay
	first := append([]byte(upgrade+"Derp-Fast-Start: 1\r\n\r\n"), w.info(usualInfo)...)
	for range 10 {
		first = append(first, frame(frameSend, raw(w.key), bytes.Repeat([]byte("x"), 3000))...)
	}
	w.say(first)
	w.serverKey()
	w.expect(frameServerInfo)
	for range 10 {
		if got := w.expect(frameRecv); len(got) != 3032 {
			t.Fatal(len(got))
		}
	}
	// Only this value means it.
	for _, value := range []string{"0", "2", "true", "11", ""} {
		w := r.dial(0)
		w.say([]byte(upgrade + "Derp-Fast-Start: " + value + "\r\n\r\n"))
		if res, err := http.ReadResponse(w.in, nil); err != nil || res.StatusCode != 101 {
			t.Fatal(value, res, err)
		}
		w.serverKey()
	}
}

// With a certificate of the relay's own making clients know it by the hash that the relay tells; it is kept from start to start.
func TestOwnCertificate(t *testing.T) {
	r := prepare(t, how{tls: true, ownCertificate: true})
	pin := ""
	for range 2 {
		r.launch()
		c, err := r.handshake(&tls.Config{})
		if err != nil {
			t.Fatal(err)
		}
		r.leaf = c.ConnectionState().PeerCertificates[0]
		c.Close()
		if pin != "" && pin != r.pin() {
			t.Fatal("another certificate after a restart")
		}
		pin = r.pin()
		if kind == "derper" {
			contains(t, r.log(), pin)
		} else {
			select {
			case told := <-r.announced:
				if told != pin {
					t.Fatalf("told %q, not %q", told, pin)
				}
			case <-time.After(patience):
				t.Fatal("nothing is told")
			}
		}
		region := r.region()
		region.Nodes[0].InsecureForTests, region.Nodes[0].CertName = false, pin
		client := regionClient(key.NewNode(), func(string, ...any) {}, func() *tailcfg.DERPRegion { return region })
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if err := client.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		client.Close()
		r.stop()
	}
}

// Ours may have several names, each with its certificate; who names none of them gets the first. Changed files are read anew. The stock relay has one.
func TestServerNames(t *testing.T) {
	r := start(t, how{tls: true, second: "second.example"})
	if kind == "derper" {
		r.join()
		return
	}
	shown := func(name string) *x509.Certificate {
		t.Helper()
		c, err := r.handshake(&tls.Config{ServerName: name})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		chain := c.ConnectionState().PeerCertificates
		if len(chain) != 2 || !strings.HasPrefix(chain[1].Subject.CommonName, "derpkey") {
			t.Fatalf("%s: %d certificates", name, len(chain))
		}
		return chain[0]
	}
	for _, name := range []string{"", "elsewhere.example", "xsecond.example"} {
		if got := shown(name); !got.Equal(r.leaf) {
			t.Fatalf("%q: %v", name, got.Subject)
		}
	}
	old := shown("second.example")
	if old.VerifyHostname("second.example") != nil || shown("SECOND.example").VerifyHostname("second.example") != nil {
		t.Fatal(old.Subject)
	}
	first := r.leaf
	r.makeCertificate("second", "second.example")
	for end := time.Now().Add(patience); !shown("second.example").Equal(r.leaf); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the new certificate is not read")
		}
	}
	if !shown("").Equal(first) {
		t.Fatal("the first has changed")
	}
}

func TestTLS(t *testing.T) {
	r := start(t, how{tls: true})
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		if c, err := r.handshake(&tls.Config{MinVersion: version, MaxVersion: version}); err == nil {
			t.Fatalf("version %#x is taken", c.ConnectionState().Version)
		}
	}
	// No name (an IP address has none), no protocol list, http/1.1, both, and something that nobody knows.
	for _, protocols := range [][]string{nil, {"http/1.1"}, {"h2", "http/1.1"}} {
		c, err := r.handshake(&tls.Config{NextProtos: protocols})
		if err != nil {
			t.Fatal(protocols, err)
		}
		chosen := c.ConnectionState().NegotiatedProtocol
		if want := map[bool]string{true: "", false: "http/1.1"}[protocols == nil]; chosen != want && !(kind == "derper" && chosen == "h2") {
			t.Fatalf("%v: %q", protocols, chosen)
		}
		if chosen == "h2" {
			c.Close()
			continue
		}
		c.Write([]byte("GET /derp/probe HTTP/1.1\r\nHost: x\r\n\r\n"))
		if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != 200 {
			t.Fatal(protocols, res, err)
		}
		c.Close()
	}
	// Strangers: no TLS at all, nothing, half a hello.
	for _, first := range []string{"GET /derp/probe HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00", "\x00\x00\x00\x00\x00\x00\x00\x00"} {
		c, err := net.Dial("tcp", r.at())
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte(first))
		c.(*net.TCPConn).CloseWrite()
		c.SetReadDeadline(time.Now().Add(patience))
		if _, err := readAll(c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatalf("%q: %v", first, err)
		}
		c.Close()
	}
	r.join().pong()
}

func readAll(c net.Conn) (total int, err error) {
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		total += n
		if err != nil {
			return total, err
		}
	}
}

// The hello may come in any pieces, and be large.
func TestSplitHello(t *testing.T) {
	r := start(t, how{tls: true})
	plain, err := net.Dial("tcp", r.at())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	plain.SetDeadline(time.Now().Add(patience))
	c := tls.Client(slowly{plain}, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{strings.Repeat("x", 250), strings.Repeat("y", 250), "http/1.1"}})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
}

type slowly struct{ net.Conn }

func (s slowly) Write(all []byte) (int, error) {
	for at := 0; at < len(all); at += 100 {
		if _, err := s.Conn.Write(all[at:min(at+100, len(all))]); err != nil {
			return at, err
		}
		time.Sleep(time.Millisecond)
	}
	return len(all), nil
}

// ---- WebSocket ----

func (r *relay) socket(protocols ...string) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return websocket.Dial(ctx, r.url("/derp"), &websocket.DialOptions{Subprotocols: protocols, CompressionMode: websocket.CompressionContextTakeover,
		HTTPHeader: http.Header{"Origin": {"https://elsewhere.example"}}})
}

// Boundaries of messages mean nothing; none is larger than 32768 bytes; compression is not taken; text ends it.
func TestWebSocketMessages(t *testing.T) {
	r := start(t, how{tls: true})
	c, res, err := r.socket("other", "derp")
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if c.Subprotocol() != "derp" || res.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Fatal(res.Header)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	in := websocket.NetConn(ctx, c, websocket.MessageBinary) // it too takes 32768 bytes at most
	w := &wire{Conn: in, t: t, in: bufio.NewReader(in), private: key.NewNode()}
	w.key = w.private.Public()
	w.serverKey()
	info := w.info(usualInfo)
	w.say(info[:7])
	w.say(info[7:50])
	w.say(append(info[50:], frame(framePing, []byte("12345678"))...))
	w.expect(frameServerInfo)
	w.expect(framePong)
	r.awaitCount(1, "derp_websocket_accepts")
	// A packet that comes in pieces; what goes out may be in pieces as well.
	text := bytes.Repeat([]byte("z"), 33000)
	packet := frame(frameSend, raw(w.key), text)
	for len(packet) > 0 {
		n := min(10000, len(packet))
		w.say(packet[:n])
		packet = packet[n:]
	}
	equal(t, w.expect(frameRecv)[32:], text)
	if err := c.Write(ctx, websocket.MessageText, []byte("text")); err != nil {
		t.Fatal(err)
	}
	w.over()
	r.awaitCount(0, "derp_current_connections")
}

// With another sub-protocol only, nobody is served.
func TestWebSocketProtocol(t *testing.T) {
	r := start(t, how{})
	c, _, err := r.socket("chat")
	if err != nil {
		return
	}
	defer c.CloseNow()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Fatal(err)
	}
}

// The certificate is known by its hash alone, with and without a name, though the chain has a second one.
func TestPinnedCertificate(t *testing.T) {
	r := start(t, how{tls: true})
	for _, pin := range []string{r.pin(), strings.Replace(r.pin(), r.pin()[11:13], map[bool]string{true: "00", false: "01"}[r.pin()[11:13] != "00"], 1)} {
		region := r.region()
		region.Nodes[0].InsecureForTests = false
		region.Nodes[0].CertName = pin
		c := regionClient(key.NewNode(), func(string, ...any) {}, func() *tailcfg.DERPRegion { return region })
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		err := c.Connect(ctx)
		if (err == nil) != (pin == r.pin()) {
			t.Fatalf("%s: %v", pin, err)
		}
		if err == nil {
			if err := c.Ping(ctxRunning(ctx, c)); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
		cancel()
	}
}

// ctxRunning has somebody hear the client, which Ping wants.
func ctxRunning(ctx context.Context, c *derphttp.Client) context.Context {
	go func() {
		for {
			if _, err := c.Recv(); err != nil {
				return
			}
		}
	}()
	return ctx
}
