package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"tailscale.com/derp/derphttp"
	"tailscale.com/tailcfg"
)

// A raw node at a relay by the official client's own connection code: certificates are
// verified as a region of the map says, and the fast start is taken where it is offered.

func init() {
	operations["relay_official"] = relayOfficial
	operations["relay_ping"] = relayPing
}

func relayOfficial(name string, args json.RawMessage) (object, error) {
	r, a, err := rawArgs[struct {
		Region *tailcfg.DERPRegion `json:"region"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	c := regionClient(r.private(), func(string, ...any) {}, func() *tailcfg.DERPRegion { return a.Region })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.Connect(ctx); err != nil {
		c.Close()
		return nil, err
	}
	// Ping must be heard, and so proves that the relay admitted the key.
	go func() {
		r.hear(c)
		cancel()
	}()
	if err := c.Ping(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("the relay answers no ping: %w", err)
	}
	r.standAt(c, c)
	return shownTo(c)
}

// shownTo tells the certificates of a connection: the hash of the first one, and who the others are.
func shownTo(c *derphttp.Client) (object, error) {
	state, ok := c.TLSConnectionState()
	if !ok || len(state.PeerCertificates) == 0 {
		return nil, fmt.Errorf("no TLS")
	}
	names := []string{}
	for _, x := range state.PeerCertificates {
		names = append(names, x.Subject.CommonName)
	}
	leaf := sha256.Sum256(state.PeerCertificates[0].Raw)
	return object{"leaf": hex.EncodeToString(leaf[:]), "names": names, "version": int(state.Version)}, nil
}

func relayPing(name string, _ json.RawMessage) (object, error) {
	r, err := findRaw(name)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	c, ok := r.relay.(*derphttp.Client)
	r.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("%s is at no relay", name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.Ping(ctx); err != nil {
		return nil, err
	}
	return shownTo(c)
}
