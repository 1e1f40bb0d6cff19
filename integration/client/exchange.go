package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// An exchange: the dialer sends 8 bytes of length and that many random bytes;
// the listener answers with the SHA-256 of what it got, then with as many random
// bytes of its own and their SHA-256. Both directions are so proven at one end.

func init() {
	operations["serve"] = serve
	operations["exchange"] = exchange
}

func serve(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[struct {
		Port int `json:"port"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	l, err := n.server.Listen("tcp", fmt.Sprintf(":%d", a.Port))
	if err != nil {
		return nil, err
	}
	go serveAll(name, l)
	return nil, nil
}

// serveAll answers the exchanges that come to a listener, until it ends.
func serveAll(name string, l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			if err := serveOne(c); err != nil {
				event("exchange-failed", name, object{"error": err.Error()})
			}
		}()
	}
}

func serveOne(c net.Conn) error {
	in := bufio.NewReader(c)
	var length [8]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint64(length[:]))
	got := sha256.New()
	if _, err := io.CopyN(got, in, n); err != nil {
		return err
	}
	if _, err := c.Write(got.Sum(nil)); err != nil {
		return err
	}
	sent, err := sendRandom(c, n)
	if err != nil {
		return err
	}
	_, err = c.Write(sent)
	return err
}

// sendRandom writes n random bytes and returns their SHA-256.
func sendRandom(w io.Writer, n int64) ([]byte, error) {
	sum := sha256.New()
	_, err := io.CopyN(io.MultiWriter(w, sum), rand.Reader, n)
	return sum.Sum(nil), err
}

func exchange(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[struct {
		To      string  `json:"to"`
		Bytes   int64   `json:"bytes"`
		Seconds float64 `json:"seconds"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	if a.Seconds == 0 {
		a.Seconds = 60
	}
	limit := time.Duration(a.Seconds * float64(time.Second))
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	began := time.Now()
	c, err := n.server.Dial(ctx, "tcp", a.To)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", a.To, err)
	}
	defer c.Close()
	c.SetDeadline(began.Add(limit))
	sum, err := exchangeOn(c, a.Bytes)
	if err != nil {
		return nil, fmt.Errorf("exchange with %s: %w", a.To, err)
	}
	return object{"sha256": sum, "remote": c.RemoteAddr().String(), "local": c.LocalAddr().String(),
		"seconds": time.Since(began).Seconds()}, nil
}

func exchangeOn(c net.Conn, n int64) (string, error) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(n))
	if _, err := c.Write(length[:]); err != nil {
		return "", err
	}
	sent, err := sendRandom(c, n)
	if err != nil {
		return "", err
	}
	in := bufio.NewReader(c)
	var theirs, last [sha256.Size]byte
	if _, err := io.ReadFull(in, theirs[:]); err != nil {
		return "", err
	}
	got := sha256.New()
	if _, err := io.CopyN(got, in, n); err != nil {
		return "", err
	}
	if _, err := io.ReadFull(in, last[:]); err != nil {
		return "", err
	}
	if !bytes.Equal(theirs[:], sent) || !bytes.Equal(last[:], got.Sum(nil)) {
		return "", errors.New("checksums differ")
	}
	return hex.EncodeToString(sent), nil
}
