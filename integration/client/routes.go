package main

import (
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Routers: tsnet takes packets of the subnets that its node advertises and leaves to its program what to do with them.

var forwarded struct {
	sync.Mutex
	byNode map[string]*atomic.Int64
}

func init() {
	forwarded.byNode = map[string]*atomic.Int64{}
	operations["forward"] = forwardNode
	operations["forwarded"] = forwardedNode
	operations["serve_outside"] = serveOutside
}

// forwardNode carries TCP connections to addresses in `prefixes` to the server at `to`, as a router with address translation would.
func forwardNode(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[struct {
		Prefixes []netip.Prefix `json:"prefixes"`
		To       string         `json:"to"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	count := counterOf(name)
	n.server.RegisterFallbackTCPHandler(func(_, dst netip.AddrPort) (func(net.Conn), bool) {
		for _, p := range a.Prefixes {
			if p.Contains(dst.Addr()) {
				return func(c net.Conn) { count.Add(1); carry(c, a.To) }, true
			}
		}
		return nil, false
	})
	return nil, nil
}

func counterOf(name string) *atomic.Int64 {
	forwarded.Lock()
	defer forwarded.Unlock()
	if forwarded.byNode[name] == nil {
		forwarded.byNode[name] = &atomic.Int64{}
	}
	return forwarded.byNode[name]
}

// forwardedNode tells how many connections the node has carried.
func forwardedNode(name string, _ json.RawMessage) (object, error) {
	return object{"connections": counterOf(name).Load()}, nil
}

// carry ends when both sides have: netstack forgets the address behind the router with the handler, and what is on its way with it.
func carry(inner net.Conn, to string) {
	defer inner.Close()
	outer, err := net.DialTimeout("tcp", to, 5*time.Second)
	if err != nil {
		return
	}
	defer outer.Close()
	limit := time.Now().Add(time.Minute)
	inner.SetDeadline(limit)
	outer.SetDeadline(limit)
	done := make(chan struct{})
	go func() { passOn(outer, inner); close(done) }()
	passOn(inner, outer)
	<-done
}

func passOn(to, from net.Conn) {
	io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// serveOutside answers exchanges at an address of this machine, outside of every tailnet; returns the address.
func serveOutside(name string, args json.RawMessage) (object, error) {
	a, err := decode[struct {
		Address string `json:"address"`
	}](args)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", a.Address)
	if err != nil {
		return nil, err
	}
	go serveAll(name, l)
	return object{"address": l.Addr().String()}, nil
}
