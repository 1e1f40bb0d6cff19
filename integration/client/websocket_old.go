//go:build release164

package main

import "nhooyr.io/websocket"

// The WebSocket library of this release.
type websocketOptions = websocket.DialOptions

const (
	websocketRefusal = websocket.StatusPolicyViolation
	websocketBinary  = websocket.MessageBinary
)

var websocketDial, websocketConn = websocket.Dial, websocket.NetConn
