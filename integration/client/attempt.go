package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/ipproto"
	"tailscale.com/wgengine/filter"
)

// Attempts: what a node can reach, tried by connections, many at once; and what its own packet filter would let in.

func init() {
	operations["serve_udp"] = serveUDP
	operations["attempt"] = attemptAll
	operations["admits"] = admitsAll
}

// serveUDP sends every datagram that comes to a port of the node back.
func serveUDP(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[struct {
		Port string `json:"port"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	l, err := n.server.Listen("udp", ":"+a.Port)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(time.Minute))
				io.Copy(c, c)
			}()
		}
	}()
	return nil, nil
}

type target struct {
	Proto string `json:"proto"`
	To    string `json:"to"`
}

// attemptAll tries every target at once, each until it answers or the time is over: a list of truths.
func attemptAll(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[struct {
		Targets []target `json:"targets"`
		Seconds float64  `json:"seconds"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(a.Seconds*float64(time.Second)))
	defer cancel()
	answered := make([]bool, len(a.Targets))
	var all sync.WaitGroup
	for i, t := range a.Targets {
		all.Add(1)
		go func() {
			defer all.Done()
			answered[i] = n.attempt(ctx, t)
		}()
	}
	all.Wait()
	return object{"answered": answered}, nil
}

// attempt tries anew every few seconds: a connection begun before the client knew the way asks ever more seldom.
func (n *node) attempt(ctx context.Context, t target) bool {
	for ctx.Err() == nil {
		one, cancel := context.WithTimeout(ctx, 3*time.Second)
		ok := n.attemptOnce(one, t)
		cancel()
		if ok {
			return true
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	return false
}

func (n *node) attemptOnce(ctx context.Context, t target) bool {
	if t.Proto == "icmp" {
		return n.echo(ctx, t.To)
	}
	c, err := n.server.Dial(ctx, t.Proto, t.To)
	if err != nil {
		return false
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	c.SetDeadline(deadline)
	return answers(ctx, t.Proto, c)
}

// echo is an ICMP echo through the tunnel, answered by the other's own stack.
func (n *node) echo(ctx context.Context, to string) bool {
	ip, err := netip.ParseAddr(to)
	if err != nil {
		return false
	}
	res, err := n.local.Ping(ctx, ip, tailcfg.PingICMP)
	return err == nil && res.Err == ""
}

func answers(ctx context.Context, proto string, c net.Conn) bool {
	if proto != "udp" {
		_, err := exchangeOn(c, 64)
		return err == nil
	}
	got := make(chan bool, 1)
	go func() {
		text := make([]byte, 16)
		count, err := c.Read(text)
		got <- err == nil && string(text[:count]) == "there?"
	}()
	for {
		if _, err := c.Write([]byte("there?")); err != nil {
			return false
		}
		select {
		case ok := <-got:
			return ok
		case <-ctx.Done():
			return false
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// admitsAll asks the packet filter that the node's client made of its map: would it let the first packet in?
func admitsAll(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[struct {
		Packets []struct {
			Src   netip.Addr `json:"src"`
			Dst   netip.Addr `json:"dst"`
			Port  uint16     `json:"port"`
			Proto int        `json:"proto"`
		} `json:"packets"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	admitted := make([]bool, len(a.Packets))
	f := systemOf(n.server).Engine.Get().GetFilter()
	for i, p := range a.Packets {
		admitted[i] = f != nil && f.Check(p.Src, p.Dst, p.Port, ipproto.Proto(p.Proto)) == filter.Accept
	}
	return object{"admitted": admitted}, nil
}
