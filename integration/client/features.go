package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"tailscale.com/tailcfg"
)

// What a tailnet's settings change at a client: its resolver, its files, its preferences.

func init() {
	operations["dns"] = dnsNode
	operations["prefs"] = prefsNode
	operations["file_targets"] = fileTargetsNode
	operations["file_push"] = filePushNode
	operations["file_wait"] = fileWaitNode
	operations["file_get"] = fileGetNode
}

type dnsArgs struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Via  string `json:"via"` // "" for what 100.100.100.100 calls, "localapi" where the release has it
}

var dnsTypes = map[string]dnsmessage.Type{"A": dnsmessage.TypeA, "AAAA": dnsmessage.TypeAAAA, "PTR": dnsmessage.TypePTR}

// dnsNode asks the client's own resolver, the one behind 100.100.100.100.
func dnsNode(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[dnsArgs](name, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	var answer []byte
	if a.Via == "localapi" {
		answer, err = askLocalAPI(ctx, n.local, a.Name, a.Type)
	} else {
		var question []byte
		if question, err = dnsQuestion(a.Name, dnsTypes[a.Type]); err == nil {
			answer, err = dnsManager(n.server).Query(ctx, question, "udp", netip.MustParseAddrPort("100.100.100.100:5353"))
		}
	}
	if err != nil {
		return nil, err
	}
	return dnsAnswer(answer)
}

func dnsQuestion(name string, kind dnsmessage.Type) ([]byte, error) {
	fqdn, err := dnsmessage.NewName(strings.TrimSuffix(name, ".") + ".")
	if err != nil {
		return nil, err
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: fqdn, Type: kind, Class: dnsmessage.ClassINET}}}
	return m.Pack()
}

// dnsAnswer: the answer's code and what addresses or names it holds.
func dnsAnswer(packet []byte) (object, error) {
	var m dnsmessage.Message
	if err := m.Unpack(packet); err != nil {
		return nil, err
	}
	values := []string{}
	for _, r := range m.Answers {
		switch b := r.Body.(type) {
		case *dnsmessage.AResource:
			values = append(values, netip.AddrFrom4(b.A).String())
		case *dnsmessage.AAAAResource:
			values = append(values, netip.AddrFrom16(b.AAAA).String())
		case *dnsmessage.PTRResource:
			values = append(values, b.PTR.String())
		}
	}
	return object{"code": strings.TrimPrefix(m.RCode.String(), "RCode"), "values": values}, nil
}

func prefsNode(name string, _ json.RawMessage) (object, error) {
	n, err := findNode(name)
	if err != nil {
		return nil, err
	}
	prefs, err := n.local.GetPrefs(context.Background())
	if err != nil {
		return nil, err
	}
	return plain(prefs), nil
}

// fileTargetsNode lists the stable ids of peers that files may be sent to.
func fileTargetsNode(name string, _ json.RawMessage) (object, error) {
	n, err := findNode(name)
	if err != nil {
		return nil, err
	}
	targets, err := n.local.FileTargets(context.Background())
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, t := range targets {
		ids = append(ids, string(t.Node.StableID))
	}
	return object{"targets": ids}, nil
}

type fileArgs struct {
	Target  string  `json:"target"`
	File    string  `json:"file"`
	Text    string  `json:"text"`
	Seconds float64 `json:"seconds"`
}

// filePushNode is `tailscale file cp`.
func filePushNode(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[fileArgs](name, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return nil, n.local.PushFile(ctx, tailcfg.StableNodeID(a.Target), int64(len(a.Text)), a.File, strings.NewReader(a.Text))
}

// fileWaitNode waits until files lie in the node's inbox, and names them.
func fileWaitNode(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[fileArgs](name, args)
	if err != nil {
		return nil, err
	}
	files, err := n.local.AwaitWaitingFiles(context.Background(), time.Duration(a.Seconds*float64(time.Second)))
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, f := range files {
		names = append(names, f.Name)
	}
	return object{"files": names}, nil
}

func fileGetNode(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[fileArgs](name, args)
	if err != nil {
		return nil, err
	}
	file, size, err := n.local.GetWaitingFile(context.Background(), a.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 1<<20))
	if err == nil && int64(len(text)) != size {
		err = errors.New("not as long as it says")
	}
	return object{"text": string(text)}, err
}
