package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"time"

	"golang.org/x/net/http2"
	"tailscale.com/control/controlbase"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

func init() {
	operations["raw_websocket"] = rawWebsocket
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
	u, err := url.Parse(a.URL)
	if err != nil {
		return nil, err
	}
	if a.Version == 0 {
		a.Version = uint16(tailcfg.CurrentCapabilityVersion)
	}
	r := &raw{name: name, url: u, version: a.Version, machine: key.NewMachine(),
		node: key.NewNode(), disco: key.NewDisco().Public()}
	early, err := r.connectWebsocket()
	if err != nil {
		return nil, err
	}
	raws.Lock()
	raws.byName[name] = r
	raws.Unlock()
	return object{"machine_key": r.machine.Public().String(), "node_key": r.node.Public().String(),
		"disco_key": r.disco.String(), "early": early}, nil
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
	c, err := dialWebsocket(ctx, at.String(), "tailscale-control-protocol")
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
