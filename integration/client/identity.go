package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Identity: what a node asks of the server, or tells it, through the local API.

func init() {
	operations["idtoken"] = idToken
	operations["local"] = localRequest
}

// idToken is `tailscale id-token AUDIENCE`.
func idToken(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[struct {
		Audience string `json:"audience"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	res, err := n.local.IDToken(ctx, a.Audience)
	if err != nil {
		return nil, err
	}
	return object{"token": res.IDToken}, nil
}

// localRequest is one request to the node's local API: status and body.
func localRequest(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[struct {
		Method string          `json:"method"`
		Path   string          `json:"path"`
		Body   json.RawMessage `json:"body"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, a.Method, fmt.Sprintf("http://local-tailscaled.sock/localapi/v0/%s", a.Path), bytes.NewReader(a.Body))
	if err != nil {
		return nil, err
	}
	res, err := n.local.DoLocalRequest(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return object{"status": res.StatusCode, "text": string(text)}, err
}
