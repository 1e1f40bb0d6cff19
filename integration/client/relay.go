package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"time"

	"tailscale.com/derp"
	"tailscale.com/types/key"
)

// A raw node at a relay: connects with its node key and tells packets as "packet"
// events, the end as "relay-end".

func init() {
	operations["relay_open"] = relayOpen
	operations["relay_websocket"] = relayWebsocket
	operations["relay_send"] = relaySend
	operations["relay_close"] = relayClose
}

func relayOpen(name string, args json.RawMessage) (object, error) {
	r, a, err := rawArgs[struct {
		Address string `json:"address"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	c, in, err := upgrade(a.Address, 0)
	if err != nil {
		return nil, err
	}
	return nil, r.goTo(c, in)
}

// relayWebsocket connects as a browser does.
func relayWebsocket(name string, args json.RawMessage) (object, error) {
	r, a, err := rawArgs[struct {
		URL     string `json:"url"`
		Address string `json:"address"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := dialWebsocket(ctx, a.URL, "derp", a.Address)
	if err != nil {
		return nil, err
	}
	return nil, r.goTo(c, bufio.NewReader(c))
}

// goTo takes the node to a relay by a connection that is upgraded; from then on it tells what it hears.
func (r *raw) goTo(c net.Conn, in *bufio.Reader) error {
	c.SetDeadline(time.Now().Add(10 * time.Second))
	l, err := greet(r.private(), c, in)
	if err != nil {
		return err
	}
	c.SetDeadline(time.Time{})
	r.standAt(l, c)
	go r.hear(l)
	return nil
}

func (r *raw) standAt(client relayClient, conn io.Closer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.relay, r.relayConn = client, conn
}

// relayClient is what a bare connection and the official client's whole one have in common.
type relayClient interface {
	Send(to key.NodePublic, packet []byte) error
	Recv() (derp.ReceivedMessage, error)
}

func (r *raw) hear(client relayClient) {
	for {
		m, err := client.Recv()
		if err != nil {
			event("relay-end", r.name, object{"error": err.Error()})
			return
		}
		switch m := m.(type) {
		case derp.ReceivedPacket:
			event("packet", r.name, object{"from": m.Source.String(), "text": string(m.Data)})
		case derp.PeerGoneMessage:
			event("gone", r.name, object{"peer": m.Peer.String(), "reason": fmt.Sprint(m.Reason)})
		}
	}
}

func relaySend(name string, args json.RawMessage) (object, error) {
	r, a, err := rawArgs[struct {
		To   key.NodePublic `json:"to"`
		Text string         `json:"text"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	client := r.relay
	r.mu.Unlock()
	if client == nil {
		return nil, fmt.Errorf("%s is at no relay", name)
	}
	return nil, client.Send(a.To, []byte(a.Text))
}

func relayClose(name string, _ json.RawMessage) (object, error) {
	r, err := findRaw(name)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.relayConn != nil {
		r.relayConn.Close()
		r.relay, r.relayConn = nil, nil
	}
	return nil, nil
}
