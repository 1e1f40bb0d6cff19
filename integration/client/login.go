package main

import (
	"context"
	"encoding/json"

	"tailscale.com/ipn"
)

func init() {
	operations["login"] = loginNode
}

// loginNode is `tailscale login` of a node that runs: without a key its view tells the URL.
func loginNode(name string, args json.RawMessage) (object, error) {
	a, err := decode[struct {
		AuthKey string `json:"authkey"`
	}](args)
	if err != nil {
		return nil, err
	}
	n, err := findNode(name)
	if err != nil {
		return nil, err
	}
	lc, err := n.server.LocalClient()
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	if a.AuthKey != "" {
		if err := lc.Start(ctx, ipn.Options{AuthKey: a.AuthKey}); err != nil {
			return nil, err
		}
	}
	return nil, lc.StartLoginInteractive(ctx)
}
