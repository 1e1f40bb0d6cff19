package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"
	"reflect"
	"sync"
	"time"

	"tailscale.com/ipn"
	"tailscale.com/ipn/ipnstate"
	"tailscale.com/tailcfg"
	"tailscale.com/tsnet"
)

// node is one tsnet node, and the client of its local API.
type node struct {
	name   string
	server *tsnet.Server
	local  *localClient
	stop   context.CancelFunc
	log    *os.File
}

var nodes struct {
	sync.Mutex
	byName map[string]*node
}

func init() {
	nodes.byName = map[string]*node{}
	operations["start"] = startNode
	operations["status"] = statusNode
	operations["ping"] = pingNode
	operations["whois"] = whoisNode
	operations["set"] = setNode
	operations["debug"] = debugNode
	operations["logout"] = logoutNode
	operations["close"] = closeNode
}

func findNode(name string) (*node, error) {
	nodes.Lock()
	defer nodes.Unlock()
	if n := nodes.byName[name]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("no node %q here", name)
}

// nodeArgs begins an operation on a node: the node, and the arguments.
func nodeArgs[T any](name string, args json.RawMessage) (*node, T, error) {
	a, err := decode[T](args)
	if err != nil {
		return nil, a, err
	}
	n, err := findNode(name)
	return n, a, err
}

type startArgs struct {
	URL       string   `json:"url"`
	AuthKey   string   `json:"authkey"`
	Hostname  string   `json:"hostname"`
	Dir       string   `json:"dir"`
	Ephemeral bool     `json:"ephemeral"`
	Tags      []string `json:"tags"`
	Log       string   `json:"log"`
	WatchMS   int      `json:"watch_ms"`
}

// startNode starts a node and returns at once; its "view" events tell the rest.
func startNode(name string, args json.RawMessage) (object, error) {
	a, err := decode[startArgs](args)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(a.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	logger := log.New(file, "", log.LstdFlags|log.Lmicroseconds)
	s := &tsnet.Server{Dir: a.Dir, Hostname: a.Hostname, AuthKey: a.AuthKey,
		ControlURL: a.URL, Ephemeral: a.Ephemeral, Logf: logger.Printf}
	if len(a.Tags) > 0 && !advertiseTags(s, a.Tags) {
		return nil, errors.New("this release's tsnet cannot request tags")
	}
	if err := s.Start(); err != nil {
		s.Close()
		return nil, err
	}
	lc, err := s.LocalClient()
	if err != nil {
		s.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &node{name: name, server: s, local: lc, stop: cancel, log: file}
	nodes.Lock()
	defer nodes.Unlock()
	if nodes.byName[name] != nil {
		cancel()
		s.Close()
		return nil, fmt.Errorf("node %q exists", name)
	}
	nodes.byName[name] = n
	go n.watch(ctx, time.Duration(a.WatchMS)*time.Millisecond)
	return nil, nil
}

// watch tells the node's view whenever it changed, as a user would see it in
// `tailscale status`.
func (n *node) watch(ctx context.Context, every time.Duration) {
	if every <= 0 {
		every = 100 * time.Millisecond
	}
	var told object
	for tick := time.NewTicker(every); ; {
		if st, err := n.local.Status(ctx); err == nil {
			if v := view(st); !reflect.DeepEqual(v, told) {
				told = v
				event("view", n.name, object{"view": v})
			}
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// moving fields change with traffic and time, not by what the server says.
var moving = []string{"RxBytes", "TxBytes", "LastWrite", "LastHandshake", "Created", "CurAddr",
	"PeerRelay", "Active", "InMagicSock", "InEngine", "PeerAPIURL", "Capabilities", "CapMap",
	"TaildropTarget", "NoFileSharingReason"}

// plain turns a status struct into JSON values: field names as the release has them.
func plain(v any) object {
	text, err := json.Marshal(v)
	if err != nil {
		return object{"error": err.Error()}
	}
	var o object
	if err := json.Unmarshal(text, &o); err != nil {
		return nil // a nil pointer: JSON null
	}
	return o
}

func calm(o object) object {
	for _, field := range moving {
		delete(o, field)
	}
	return o
}

// view is the part of the status that a control server decides: the node itself
// and its peers by stable id.
func view(st *ipnstate.Status) object {
	peers := object{}
	for _, p := range st.Peer {
		peers[string(p.ID)] = calm(plain(p))
	}
	v := object{"state": st.BackendState, "authurl": st.AuthURL, "peers": peers,
		"health": append([]string{}, st.Health...), "suffix": "", "domain": ""}
	if st.Self != nil {
		v["self"] = calm(plain(st.Self))
	}
	if st.CurrentTailnet != nil {
		v["suffix"] = st.CurrentTailnet.MagicDNSSuffix
		v["domain"] = st.CurrentTailnet.Name
	}
	return v
}

// statusNode returns the whole status, moving fields included.
func statusNode(name string, _ json.RawMessage) (object, error) {
	n, err := findNode(name)
	if err != nil {
		return nil, err
	}
	st, err := n.local.Status(context.Background())
	if err != nil {
		return nil, err
	}
	o := plain(st)
	byID := object{}
	for _, p := range st.Peer {
		byID[string(p.ID)] = plain(p)
	}
	o["Peer"] = byID
	return o, nil
}

// pingNode sends one disco ping and says which way it went.
func pingNode(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[struct {
		IP   netip.Addr `json:"ip"`
		Kind string     `json:"kind"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	if a.Kind == "" {
		a.Kind = string(tailcfg.PingDisco)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	res, err := n.local.Ping(ctx, a.IP, tailcfg.PingType(a.Kind))
	if err != nil {
		return nil, err
	}
	if res.Err != "" {
		return nil, errors.New(res.Err)
	}
	return plain(res), nil
}

func whoisNode(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[struct {
		Addr string `json:"addr"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	who, err := n.local.WhoIs(context.Background(), a.Addr)
	if err != nil {
		return nil, err
	}
	return plain(who), nil
}

type setArgs struct {
	Hostname *string         `json:"hostname"`
	Routes   *[]netip.Prefix `json:"routes"`
	Tags     *[]string       `json:"tags"`
	Running  *bool           `json:"running"`
}

// setNode is `tailscale set`, `up` and `down`.
func setNode(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[setArgs](name, args)
	if err != nil {
		return nil, err
	}
	var mp ipn.MaskedPrefs
	if a.Hostname != nil {
		mp.Hostname, mp.HostnameSet = *a.Hostname, true
	}
	if a.Routes != nil {
		mp.AdvertiseRoutes, mp.AdvertiseRoutesSet = *a.Routes, true
	}
	if a.Tags != nil {
		mp.AdvertiseTags, mp.AdvertiseTagsSet = *a.Tags, true
	}
	if a.Running != nil {
		mp.WantRunning, mp.WantRunningSet = *a.Running, true
	}
	_, err = n.local.EditPrefs(context.Background(), &mp)
	return nil, err
}

// debugNode performs a debug action of the client, such as rebind or restun.
func debugNode(name string, args json.RawMessage) (object, error) {
	n, a, err := nodeArgs[struct {
		Action string `json:"action"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	return nil, n.local.DebugAction(context.Background(), a.Action)
}

func logoutNode(name string, _ json.RawMessage) (object, error) {
	n, err := findNode(name)
	if err != nil {
		return nil, err
	}
	return nil, n.local.Logout(context.Background())
}

// closeNode ends a node in good order; its state folder stays.
func closeNode(name string, _ json.RawMessage) (object, error) {
	n, err := findNode(name)
	if err != nil {
		return nil, err
	}
	nodes.Lock()
	delete(nodes.byName, name)
	nodes.Unlock()
	n.stop()
	err = n.server.Close()
	n.log.Close()
	return nil, err
}
