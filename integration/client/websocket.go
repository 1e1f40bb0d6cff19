package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http2"
	"tailscale.com/control/controlbase"
)

func init() {
	operations["raw_websocket"] = rawWebsocket
	operations["raw_websocket_abuse"] = rawWebsocketAbuse
}

// rawWebsocket connects as a browser does: GET /key, a WebSocket to /ts2021 with the
// handshake in its query, then the real Noise client and HTTP/2 over binary messages.
// Afterwards it is a raw node like any other.
func rawWebsocket(name string, args json.RawMessage) (object, error) {
	a, err := decode[struct {
		URL     string `json:"url"`
		Version uint16 `json:"version"`
	}](args)
	if err != nil {
		return nil, err
	}
	r, err := newRaw(name, a.URL, a.Version)
	if err != nil {
		return nil, err
	}
	early, err := r.connectWebsocket()
	if err != nil {
		return nil, err
	}
	return r.keep(early), nil
}

func (r *raw) connectWebsocket() (json.RawMessage, error) {
	server, err := r.serverKey()
	if err != nil {
		return nil, err
	}
	first, proceed, err := controlbase.ClientDeferred(r.machine, server, r.version)
	if err != nil {
		return nil, err
	}
	at := url.URL{Scheme: map[string]string{"http": "ws", "https": "wss"}[r.url.Scheme], Host: r.url.Host, Path: "/ts2021",
		RawQuery: url.Values{"X-Tailscale-Handshake": {base64.StdEncoding.EncodeToString(first)}}.Encode()}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := dialWebsocket(ctx, at.String(), "tailscale-control-protocol", "")
	if err != nil {
		return nil, err
	}
	noise, err := proceed(ctx, c)
	if err != nil {
		c.Close()
		return nil, err
	}
	in := bufio.NewReader(noise)
	early, err := earlyPayload(in)
	if err != nil {
		c.Close()
		return nil, err
	}
	r.conn, err = (&http2.Transport{AllowHTTP: true}).NewClientConn(&buffered{noise, in})
	return early, err
}

// dialWebsocket gives the bytes of binary messages as a connection; `at` is the address dialled, if it is not the URL's.
func dialWebsocket(ctx context.Context, url, protocol, at string) (net.Conn, error) {
	c, _, err := websocketDial(ctx, url, &websocketOptions{Subprotocols: []string{protocol}, HTTPClient: dialing(at)})
	if err != nil {
		return nil, err
	}
	if c.Subprotocol() != protocol {
		c.Close(websocketRefusal, "")
		return nil, fmt.Errorf("the server chose the protocol %q", c.Subprotocol())
	}
	return websocketConn(context.Background(), c, websocketBinary), nil
}

// dialing is a client that goes to one address whatever the URL says.
func dialing(at string) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if at != "" {
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, at)
		}
	}
	return &http.Client{Transport: transport}
}

// rawWebsocketAbuse opens a session, then writes one frame of the test's own behind the
// library's back; returns the code of the close frame that answers it.
func rawWebsocketAbuse(name string, args json.RawMessage) (object, error) {
	a, err := decode[struct {
		URL   string `json:"url"`
		Frame []byte `json:"frame"`
	}](args)
	if err != nil {
		return nil, err
	}
	r, err := newRaw(name, a.URL, 0)
	if err != nil {
		return nil, err
	}
	server, err := r.serverKey()
	if err != nil {
		return nil, err
	}
	first, _, err := controlbase.ClientDeferred(r.machine, server, r.version)
	if err != nil {
		return nil, err
	}
	c, err := net.DialTimeout("tcp", r.url.Host, 5*time.Second)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "GET /ts2021?X-Tailscale-Handshake=%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
		"Sec-WebSocket-Protocol: tailscale-control-protocol\r\n\r\n",
		url.QueryEscape(base64.StdEncoding.EncodeToString(first)), r.url.Host)
	in := bufio.NewReader(c)
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("no WebSocket: %v, %v", res, err)
	}
	if _, err := c.Write(a.Frame); err != nil {
		return nil, err
	}
	for {
		opcode, payload, err := readWebsocketFrame(in)
		if err != nil {
			return nil, err
		}
		if opcode == 8 && len(payload) == 2 {
			return object{"code": int(binary.BigEndian.Uint16(payload))}, nil
		}
	}
}

func readWebsocketFrame(in io.Reader) (opcode byte, payload []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return 0, nil, err
	}
	size := int(head[1])
	if size == 126 {
		if _, err := io.ReadFull(in, head[2:]); err != nil {
			return 0, nil, err
		}
		size = int(binary.BigEndian.Uint16(head[2:]))
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(in, payload)
	return head[0] & 15, payload, err
}
