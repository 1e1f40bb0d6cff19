package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"tailscale.com/derp"
	"tailscale.com/types/key"
)

// A raw node at a relay: connects with its node key and tells packets as "packet"
// events, the end as "relay-end".

func init() {
	operations["relay_open"] = relayOpen
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
	r.mu.Lock()
	private := r.node
	r.mu.Unlock()
	c, err := tls.Dial("tcp", a.Address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "GET /derp HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: DERP\r\n\r\n", a.Address)
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		c.Close()
		return nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		c.Close()
		return nil, fmt.Errorf("relay: %s", res.Status)
	}
	client, err := derp.NewClient(private, c, bufio.NewReadWriter(in, bufio.NewWriter(c)), func(string, ...any) {})
	if err != nil {
		c.Close()
		return nil, err
	}
	first, err := client.Recv()
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("relay ended the connection: %w", err)
	}
	if _, ok := first.(derp.ServerInfoMessage); !ok {
		c.Close()
		return nil, fmt.Errorf("the relay's first message is %T", first)
	}
	c.SetDeadline(time.Time{})
	r.mu.Lock()
	r.relay, r.relayConn = client, c
	r.mu.Unlock()
	go r.hear(client)
	return nil, nil
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
