package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"tailscale.com/derp"
	"tailscale.com/types/key"
)

// link is one connection of a key to a relay, past ServerInfo.
type link struct {
	*derp.Client
	conn net.Conn
	info derp.ServerInfoMessage
}

// upgrade leaves the connection where the relay's first frame has not been read, and
// twenty seconds for what follows. receiveBuffer 0: as the system has it.
func upgrade(address string, receiveBuffer int) (net.Conn, *bufio.Reader, error) {
	plain, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, nil, err
	}
	if receiveBuffer > 0 {
		plain.(*net.TCPConn).SetReadBuffer(receiveBuffer)
	}
	c := tls.Client(plain, &tls.Config{InsecureSkipVerify: true})
	c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(c, "GET /derp HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: DERP\r\n\r\n", address)
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		c.Close()
		return nil, nil, fmt.Errorf("relay: %s", res.Status)
	}
	return c, in, nil
}

// greet is the official client's handshake on an upgraded connection, which ends when the relay does not admit the key.
func greet(private key.NodePrivate, c net.Conn, in *bufio.Reader) (*link, error) {
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
	info, ok := first.(derp.ServerInfoMessage)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("the relay's first message is %T", first)
	}
	return &link{Client: client, conn: c, info: info}, nil
}
