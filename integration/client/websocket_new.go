//go:build !release164

package main

import (
	"context"
	"fmt"
	"net"

	"github.com/coder/websocket"
)

// dialWebsocket gives the bytes of binary messages as a connection.
func dialWebsocket(ctx context.Context, url, protocol string) (net.Conn, error) {
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: []string{protocol}})
	if err != nil {
		return nil, err
	}
	if c.Subprotocol() != protocol {
		c.Close(websocket.StatusPolicyViolation, "")
		return nil, fmt.Errorf("the server chose the protocol %q", c.Subprotocol())
	}
	return websocket.NetConn(context.Background(), c, websocket.MessageBinary), nil
}
