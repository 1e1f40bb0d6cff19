//go:build !release164

package main

import (
	"context"
	"fmt"
	"net"

	"github.com/coder/websocket"
)

// dialWebsocket gives the bytes of binary messages as a connection; `at` is the address dialled, if it is not the URL's.
func dialWebsocket(ctx context.Context, url, protocol, at string) (net.Conn, error) {
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: []string{protocol}, HTTPClient: dialing(at)})
	if err != nil {
		return nil, err
	}
	if c.Subprotocol() != protocol {
		c.Close(websocket.StatusPolicyViolation, "")
		return nil, fmt.Errorf("the server chose the protocol %q", c.Subprotocol())
	}
	return websocket.NetConn(context.Background(), c, websocket.MessageBinary), nil
}
