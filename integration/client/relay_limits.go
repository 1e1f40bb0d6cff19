package main

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"tailscale.com/derp"
	"tailscale.com/types/key"
)

// Limits of a relay as clients feel them: what they are told, what the official
// client makes of it, and what comes through of one that does not listen.

func init() {
	trials["polite"] = polite
	trials["rude"] = rude
	trials["retold"] = retold
	trials["flooded"] = flooded
}

const (
	limitsFor    = 4 * time.Second
	limitsBytes  = 1000      // of a packet
	limitsWanted = 5_000_000 // per second, however seldom it comes to send
)

// count reads packets until nothing came for two seconds, and tells how many bytes
// they had; it closes the connection. Recv sets deadlines of its own.
func (l *link) count(sum chan<- int) {
	const quiet = 2 * time.Second
	got, end := 0, time.AfterFunc(quiet, func() { l.conn.Close() })
	for {
		m, err := l.Recv()
		if err != nil {
			sum <- got
			return
		}
		if p, ok := m.(derp.ReceivedPacket); ok {
			got += len(p.Data)
			end.Reset(quiet)
		}
	}
}

func told(l *link) object {
	return object{"rate": l.info.TokenBucketBytesPerSecond, "burst": l.info.TokenBucketBytesBurst}
}

// polite sends by the official client's own means more than it may, as it was told.
func polite(t *trial) (object, error) {
	a, b, err := t.pair()
	if err != nil {
		return nil, err
	}
	defer a.conn.Close()
	defer b.conn.Close()
	a.conn.SetDeadline(time.Time{})
	sum, packet, begun, sent := make(chan int, 1), make([]byte, limitsBytes), time.Now(), 0
	go b.count(sum)
	for time.Since(begun) < limitsFor {
		for wanted := time.Since(begun).Seconds() * limitsWanted; float64(sent) < wanted; {
			if err := a.Send(t.two.Public(), packet); err != nil {
				return nil, err
			}
			sent += len(packet)
		}
		time.Sleep(2 * time.Millisecond)
	}
	seconds := time.Since(begun).Seconds()
	return object{"told": told(a), "sent": sent, "received": <-sum, "seconds": seconds}, nil
}

// rude writes frames both ways as fast as the relay takes them, whatever it said.
func rude(t *trial) (object, error) {
	a, b, err := t.pair()
	if err != nil {
		return nil, err
	}
	defer a.conn.Close()
	defer b.conn.Close()
	begun, sums := time.Now(), make(chan int, 2)
	var writers sync.WaitGroup
	way := func(from, to *link, target key.NodePublic) {
		from.conn.SetDeadline(time.Time{})
		from.conn.SetWriteDeadline(begun.Add(limitsFor))
		go to.count(sums)
		writers.Add(1)
		go func() {
			defer writers.Done()
			packet := frame(4, append(target.AppendTo(nil), make([]byte, limitsBytes)...))
			for {
				if _, err := from.conn.Write(packet); err != nil {
					return
				}
			}
		}()
	}
	way(a, b, t.two.Public())
	way(b, a, t.one.Public())
	writers.Wait()
	one, two := <-sums, <-sums
	return object{"each": []int{one, two}, "seconds": time.Since(begun).Seconds()}, nil
}

// retold says now and then something small until it is told another rate than the first, which it tells by an event.
func retold(t *trial) (object, error) {
	a, b, err := t.pair()
	if err != nil {
		return nil, err
	}
	defer a.conn.Close()
	defer b.conn.Close()
	event("relay-told", t.name, told(a))
	a.conn.SetDeadline(time.Now().Add(40 * time.Second))
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(100 * time.Millisecond):
				a.Send(t.two.Public(), []byte("x"))
			}
		}
	}()
	for {
		m, err := a.Recv()
		if err != nil {
			return nil, err
		}
		if info, ok := m.(derp.ServerInfoMessage); ok {
			return object{"before": told(a), "rate": info.TokenBucketBytesPerSecond, "burst": info.TokenBucketBytesBurst}, nil
		}
	}
}

// flooded exchanges packets while connections are made as fast as can be, none of which goes on.
func flooded(t *trial) (object, error) {
	a, b, err := t.pair()
	if err != nil {
		return nil, err
	}
	defer a.conn.Close()
	defer b.conn.Close()
	var dialed, closed atomic.Int64
	var dialers, dials sync.WaitGroup
	end := time.Now().Add(limitsFor)
	wait := func(c net.Conn) {
		defer dials.Done()
		defer c.Close()
		c.SetReadDeadline(time.Now().Add(limitsFor)) // who is taken may be silent for longer than that
		_, err := c.Read(make([]byte, 1))
		if late, ok := err.(net.Error); !ok || !late.Timeout() {
			closed.Add(1)
		}
	}
	for range 4 {
		dialers.Add(1)
		go func() {
			defer dialers.Done()
			for time.Now().Before(end) {
				c, err := net.DialTimeout("tcp", t.address, time.Second)
				if err != nil {
					continue
				}
				dialed.Add(1)
				dials.Add(1)
				go wait(c)
				time.Sleep(2 * time.Millisecond)
			}
		}()
	}
	packets, worst := 0, time.Duration(0)
	for time.Now().Before(end) {
		begun := time.Now()
		if err := a.Send(t.two.Public(), []byte("through")); err != nil {
			return nil, err
		}
		if _, err := b.packet(t.one.Public()); err != nil {
			return nil, fmt.Errorf("after %d packets: %w", packets, err)
		}
		packets++
		worst = max(worst, time.Since(begun))
		time.Sleep(5 * time.Millisecond)
	}
	dialers.Wait()
	dials.Wait()
	return object{"packets": packets, "worst": worst.Seconds(), "dialed": dialed.Load(), "closed": closed.Load()}, nil
}
