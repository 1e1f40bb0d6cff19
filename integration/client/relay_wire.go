package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"time"

	"tailscale.com/derp"
	"tailscale.com/types/key"
)

// The relay protocol itself, between two raw nodes that the relay admits, with
// the official client's own code wherever that can say what the trial needs.

func init() { operations["relay_trial"] = relayTrial }

// trial is one connection-making state: where, and as whom.
type trial struct {
	name     string // whose events it tells
	address  string
	one, two key.NodePrivate
}

var trials = map[string]func(*trial) (object, error){
	"bulk":              bulk,
	"duplicates":        duplicates,
	"peer gone":         peerGone,
	"nobody":            nobody,
	"ping":              pingRelay,
	"slow reader":       slowReader,
	"largest packet":    func(t *trial) (object, error) { return sized(t, 65536) },
	"oversized packet":  func(t *trial) (object, error) { return t.ended(frame(4, make([]byte, 32+65537))) },
	"short packet":      func(t *trial) (object, error) { return t.ended(frame(4, make([]byte, 31))) },
	"long ping":         func(t *trial) (object, error) { return t.ended(frame(0x12, make([]byte, 1001))) },
	"watch without key": func(t *trial) (object, error) { return t.ended(frame(0x10, nil)) },
	"unknown frame":     unknownFrame,
	"garbage":           func(t *trial) (object, error) { return t.strange([]byte("GET / HTTP/1.1\r\n\r\n")) },
	"forged info":       func(t *trial) (object, error) { return t.strange(frame(2, make([]byte, 120))) },
	"endless info":      func(t *trial) (object, error) { return t.strange([]byte{2, 0xff, 0xff, 0xff, 0xff}) },
	"early packet":      func(t *trial) (object, error) { return t.strange(frame(4, make([]byte, 64))) },
}

func relayTrial(name string, args json.RawMessage) (object, error) {
	a, err := decode[struct {
		Address string `json:"address"`
		Kind    string `json:"kind"`
		Other   string `json:"other"`
	}](args)
	if err != nil {
		return nil, err
	}
	run := trials[a.Kind]
	if run == nil {
		return nil, fmt.Errorf("no trial %q", a.Kind)
	}
	t := &trial{name: name, address: a.Address}
	for _, of := range []struct {
		name string
		key  *key.NodePrivate
	}{{name, &t.one}, {a.Other, &t.two}} {
		r, err := findRaw(of.name)
		if err != nil {
			return nil, err
		}
		*of.key = r.private()
	}
	return run(t)
}

func (t *trial) open(private key.NodePrivate, receiveBuffer int) (*link, error) {
	c, in, err := upgrade(t.address, receiveBuffer)
	if err != nil {
		return nil, err
	}
	return greet(private, c, in)
}

func (t *trial) pair() (a, b *link, err error) {
	if a, err = t.open(t.one, 0); err != nil {
		return nil, nil, err
	}
	if b, err = t.open(t.two, 0); err != nil {
		a.conn.Close()
		return nil, nil, err
	}
	return a, b, nil
}

func (l *link) packet(from key.NodePublic) ([]byte, error) {
	m, err := l.Recv()
	if err != nil {
		return nil, err
	}
	p, ok := m.(derp.ReceivedPacket)
	if !ok {
		return nil, fmt.Errorf("a packet was due, not %T", m)
	}
	if p.Source != from {
		return nil, fmt.Errorf("packet from %v", p.Source)
	}
	return p.Data, nil
}

// pong asks for a sign of life: everything said before was handled, and nothing else came.
func (l *link) pong() error {
	ping := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	if err := l.SendPing(ping); err != nil {
		return err
	}
	m, err := l.Recv()
	if err != nil {
		return err
	}
	if got, ok := m.(derp.PongMessage); !ok || got != derp.PongMessage(ping) {
		return fmt.Errorf("a pong was due, not %T %v", m, m)
	}
	return nil
}

func frame(kind byte, payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(payload))), payload...)
}

// closed tells whether the relay ends the connection.
func closed(in io.Reader, c net.Conn) (object, error) {
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err := io.Copy(io.Discard, in)
	var late net.Error
	return object{"ended": !(errors.As(err, &late) && late.Timeout())}, nil
}

// ended writes what breaks a rule after an honest handshake.
func (t *trial) ended(breach []byte) (object, error) {
	l, err := t.open(t.one, 0)
	if err != nil {
		return nil, err
	}
	l.conn.Write(breach)
	return closed(l.conn, l.conn)
}

// strange writes something else than the ClientInfo that is due.
func (t *trial) strange(first []byte) (object, error) {
	c, in, err := upgrade(t.address, 0)
	if err != nil {
		return nil, err
	}
	c.Write(first)
	return closed(in, c)
}

// bulk moves ten megabytes each way in packets of many sizes, thirty in flight.
func bulk(t *trial) (object, error) {
	a, b, err := t.pair()
	if err != nil {
		return nil, err
	}
	defer a.conn.Close()
	defer b.conn.Close()
	const total, inFlight = 10_000_000, 30
	way := func(from, to *link, source, target key.NodePublic) error {
		data := make([]byte, total)
		rand.New(rand.NewSource(7)).Read(data)
		want, got := sha256.Sum256(data), sha256.New()
		room := make(chan struct{}, inFlight)
		failed := make(chan error, 1)
		go func() {
			for n := 0; len(data) > 0; n++ {
				size := min([]int{1200, 1400, 64, 9000, 65536}[n%5], len(data))
				room <- struct{}{}
				if err := from.Send(target, data[:size]); err != nil {
					failed <- err
					return
				}
				data = data[size:]
			}
		}()
		for received := 0; received < total; {
			p, err := to.packet(source)
			if err != nil {
				select {
				case first := <-failed:
					return first
				default:
					return fmt.Errorf("after %d bytes: %w", received, err)
				}
			}
			got.Write(p)
			received += len(p)
			<-room
		}
		if !bytes.Equal(got.Sum(nil), want[:]) {
			return errors.New("checksums differ")
		}
		return nil
	}
	begun := time.Now()
	if err := way(a, b, t.one.Public(), t.two.Public()); err != nil {
		return nil, err
	}
	if err := way(b, a, t.two.Public(), t.one.Public()); err != nil {
		return nil, err
	}
	return object{"bytes": 2 * total, "seconds": time.Since(begun).Seconds()}, nil
}

func sized(t *trial, size int) (object, error) {
	a, b, err := t.pair()
	if err != nil {
		return nil, err
	}
	defer a.conn.Close()
	defer b.conn.Close()
	if err := a.Send(t.two.Public(), make([]byte, size)); err != nil {
		return nil, err
	}
	p, err := b.packet(t.one.Public())
	return object{"bytes": len(p)}, err
}

// duplicates: the connection that spoke last gets the packets; when it goes the other has them again.
func duplicates(t *trial) (object, error) {
	a, old, err := t.pair()
	if err != nil {
		return nil, err
	}
	defer a.conn.Close()
	defer old.conn.Close()
	young, err := t.open(t.two, 0)
	if err != nil {
		return nil, err
	}
	defer young.conn.Close()
	step := func(at *link) error {
		if err := a.Send(t.two.Public(), []byte("x")); err != nil {
			return err
		}
		_, err := at.packet(t.one.Public())
		return err
	}
	if err := step(young); err != nil {
		return nil, fmt.Errorf("the newer one: %w", err)
	}
	if err := old.pong(); err != nil {
		return nil, err
	}
	if err := step(old); err != nil {
		return nil, fmt.Errorf("the older one, having spoken: %w", err)
	}
	if err := young.pong(); err != nil {
		return nil, err
	}
	young.conn.Close()
	time.Sleep(200 * time.Millisecond)
	if err := step(old); err != nil {
		return nil, fmt.Errorf("the one left: %w", err)
	}
	return object{}, nil
}

func peerGone(t *trial) (object, error) {
	a, b, err := t.pair()
	if err != nil {
		return nil, err
	}
	defer b.conn.Close()
	if err := a.Send(t.two.Public(), []byte("x")); err != nil {
		return nil, err
	}
	if _, err := b.packet(t.one.Public()); err != nil {
		return nil, err
	}
	a.conn.Close()
	m, err := b.Recv()
	if err != nil {
		return nil, err
	}
	gone, ok := m.(derp.PeerGoneMessage)
	if !ok || gone.Peer != t.one.Public() || gone.Reason != derp.PeerGoneReasonDisconnected {
		return nil, fmt.Errorf("a farewell was due, not %T %v", m, m)
	}
	return object{}, nil
}

// nobody: data to a key that is not there is silently dropped, disco is answered, three times at once.
func nobody(t *trial) (object, error) {
	a, err := t.open(t.one, 0)
	if err != nil {
		return nil, err
	}
	defer a.conn.Close()
	absent := key.NewNode().Public()
	disco := append([]byte("TS💬"), make([]byte, 56)...)
	if err := a.Send(absent, disco[:61]); err != nil {
		return nil, err
	}
	if err := a.pong(); err != nil {
		return nil, err
	}
	for range 10 {
		if err := a.Send(absent, disco); err != nil {
			return nil, err
		}
	}
	// Answers cross between threads: the ping waits for them.
	time.Sleep(300 * time.Millisecond)
	if err := a.SendPing([8]byte{9}); err != nil {
		return nil, err
	}
	for told := 0; ; told++ {
		m, err := a.Recv()
		if err != nil {
			return nil, err
		}
		if _, done := m.(derp.PongMessage); done {
			return object{"told": told}, nil
		}
		gone, ok := m.(derp.PeerGoneMessage)
		if !ok || gone.Peer != absent || gone.Reason != derp.PeerGoneReasonNotHere {
			return nil, fmt.Errorf("an answer was due, not %T %v", m, m)
		}
	}
}

func pingRelay(t *trial) (object, error) {
	a, err := t.open(t.one, 0)
	if err != nil {
		return nil, err
	}
	defer a.conn.Close()
	return object{}, a.pong()
}

// unknownFrame: types that nobody knows yet are skipped, long ones too.
func unknownFrame(t *trial) (object, error) {
	a, err := t.open(t.one, 0)
	if err != nil {
		return nil, err
	}
	defer a.conn.Close()
	if _, err := a.conn.Write(frame(0x7e, make([]byte, 3_000_000))); err != nil {
		return nil, err
	}
	return object{}, a.pong()
}

// slowReader stops reading while a thousand large packets come. Others are served meanwhile; what it
// reads afterwards ends with the newest, and it is closed when it does not read at all.
func slowReader(t *trial) (object, error) {
	const count, size = 1000, 16384
	a, err := t.open(t.one, 0)
	if err != nil {
		return nil, err
	}
	defer a.conn.Close()
	slow, err := t.open(t.two, 32768)
	if err != nil {
		return nil, err
	}
	defer slow.conn.Close()
	flood := func(count int) error {
		p := make([]byte, size)
		for n := range count {
			binary.BigEndian.PutUint32(p, uint32(n))
			if err := a.Send(t.two.Public(), p); err != nil {
				return err
			}
		}
		return nil
	}
	if err := flood(count); err != nil {
		return nil, err
	}
	if err := a.Send(t.one.Public(), []byte("x")); err != nil {
		return nil, err
	}
	if _, err := a.packet(t.one.Public()); err != nil {
		return nil, fmt.Errorf("others wait for the slow one: %w", err)
	}
	last, run, got := -1, 0, 0
	for last != count-1 {
		p, err := slow.packet(t.one.Public())
		if err != nil {
			return nil, fmt.Errorf("after %d packets, the last %d: %w", got, last, err)
		}
		n := int(binary.BigEndian.Uint32(p))
		if n <= last {
			return nil, fmt.Errorf("packet %d after %d", n, last)
		}
		if run++; n != last+1 {
			run = 1
		}
		last, got = n, got+1
	}
	// Kernels hold megabytes: what comes after them is not taken.
	for range 50 {
		if err := flood(40); err != nil {
			return nil, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	answer, err := closed(slow.conn, slow.conn)
	if err != nil {
		return nil, err
	}
	answer["delivered"], answer["run"] = got, run
	return answer, nil
}
