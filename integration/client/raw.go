package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/net/http2"
	"tailscale.com/control/controlbase"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// raw is a bare control client: keys, one Noise connection, whatever requests
// the test asks for. It decodes nothing into the client's types, so that the
// test sees what was really written.
type raw struct {
	name    string
	url     *url.URL
	host    string // as the upgrade says it, if it is not the URL's
	version uint16
	machine key.MachinePrivate

	mu     sync.Mutex
	node   key.NodePrivate
	old    key.NodePublic
	disco  key.DiscoPublic
	conn   *http2.ClientConn
	stream context.CancelFunc

	relay     relayClient
	relayConn io.Closer
}

var raws struct {
	sync.Mutex
	byName map[string]*raw
}

func init() {
	raws.byName = map[string]*raw{}
	operations["raw_open"] = rawOpen
	operations["raw_register"] = rawRegister
	operations["raw_stream"] = rawStream
	operations["raw_lite"] = rawLite
	operations["raw_request"] = rawRequest
	operations["raw_rotate"] = rawRotate
	operations["raw_close"] = rawClose
}

func findRaw(name string) (*raw, error) {
	raws.Lock()
	defer raws.Unlock()
	if r := raws.byName[name]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("no raw node %q here", name)
}

// rawArgs begins an operation on a raw node: the node, and the arguments.
func rawArgs[T any](name string, args json.RawMessage) (*raw, T, error) {
	a, err := decode[T](args)
	if err != nil {
		return nil, a, err
	}
	r, err := findRaw(name)
	return r, a, err
}

// newRaw makes a node with keys of its own, not connected yet; version 0 is this release's.
func newRaw(name, at string, version uint16) (*raw, error) {
	u, err := url.Parse(at)
	if version == 0 {
		version = uint16(tailcfg.CurrentCapabilityVersion)
	}
	return &raw{name: name, url: u, version: version, machine: key.NewMachine(),
		node: key.NewNode(), disco: key.NewDisco().Public()}, err
}

// keep makes a connected node known by its name, and tells who it is.
func (r *raw) keep(early json.RawMessage) object {
	raws.Lock()
	defer raws.Unlock()
	raws.byName[r.name] = r
	return object{"machine_key": r.machine.Public().String(), "node_key": r.node.Public().String(),
		"disco_key": r.disco.String(), "early": early}
}

// rawOpen connects: GET /key, POST /ts2021, Noise, HTTP/2. With `keys_of` it is
// the same machine (and node) as another raw node, on a connection of its own.
func rawOpen(name string, args json.RawMessage) (object, error) {
	a, err := decode[struct {
		URL     string `json:"url"`
		Host    string `json:"host"`
		Version uint16 `json:"version"`
		KeysOf  string `json:"keys_of"`
	}](args)
	if err != nil {
		return nil, err
	}
	r, err := newRaw(name, a.URL, a.Version)
	if err != nil {
		return nil, err
	}
	r.host = a.Host
	if a.KeysOf != "" {
		o, err := findRaw(a.KeysOf)
		if err != nil {
			return nil, err
		}
		o.mu.Lock()
		r.machine, r.node, r.disco = o.machine, o.node, o.disco
		o.mu.Unlock()
	}
	early, err := r.connect()
	if err != nil {
		return nil, err
	}
	return r.keep(early), nil
}

func (r *raw) connect() (early json.RawMessage, err error) {
	noise, early, err := r.noise(func(c net.Conn) net.Conn { return c })
	if err != nil {
		return nil, err
	}
	h2, err := (&http2.Transport{AllowHTTP: true}).NewClientConn(noise)
	if err != nil {
		noise.Close()
		return nil, err
	}
	r.conn = h2
	return early, nil
}

// noise dials and shakes hands. What is written passes through `wrap`'s connection.
func (r *raw) noise(wrap func(net.Conn) net.Conn) (net.Conn, json.RawMessage, error) {
	server, err := r.serverKey()
	if err != nil {
		return nil, nil, err
	}
	plain, err := net.DialTimeout("tcp", r.url.Host, 5*time.Second)
	if err != nil {
		return nil, nil, err
	}
	if r.url.Scheme == "https" {
		plain = tls.Client(plain, &tls.Config{ServerName: r.url.Hostname()})
	}
	c := wrap(plain)
	c.SetDeadline(time.Now().Add(10 * time.Second))
	noise, err := r.upgrade(c, server)
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	in := bufio.NewReader(noise)
	early, err := earlyPayload(in)
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	c.SetDeadline(time.Time{})
	return &buffered{noise, in}, early, nil
}

func (r *raw) serverKey() (key.MachinePublic, error) {
	var k struct {
		PublicKey key.MachinePublic `json:"publicKey"`
	}
	web := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := web.Get(fmt.Sprintf("%s/key?v=%d", r.url, r.version))
	if err != nil {
		return k.PublicKey, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 200))
		return k.PublicKey, fmt.Errorf("/key: %s: %s", res.Status, text)
	}
	return k.PublicKey, json.NewDecoder(res.Body).Decode(&k)
}

func (r *raw) upgrade(c net.Conn, server key.MachinePublic) (net.Conn, error) {
	first, proceed, err := controlbase.ClientDeferred(r.machine, server, r.version)
	if err != nil {
		return nil, err
	}
	host := r.host
	if host == "" {
		host = r.url.Host
	}
	req := &http.Request{Method: "POST", URL: &url.URL{Path: "/ts2021"}, Host: host,
		Header: http.Header{
			"Upgrade":               {"tailscale-control-protocol"},
			"Connection":            {"upgrade"},
			"X-Tailscale-Handshake": {base64.StdEncoding.EncodeToString(first)},
		}}
	if err := req.Write(c); err != nil {
		return nil, err
	}
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 200))
		return nil, fmt.Errorf("/ts2021: %s: %s", res.Status, text)
	}
	return proceed(context.Background(), &buffered{c, in})
}

// buffered is a connection of which some bytes were read already.
type buffered struct {
	net.Conn
	in *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.in.Read(p) }

func earlyPayload(in *bufio.Reader) (json.RawMessage, error) {
	head, err := in.Peek(9)
	if err != nil {
		return nil, fmt.Errorf("nothing after the handshake: %w", err)
	}
	if string(head[:5]) != "\xff\xff\xffTS" {
		return nil, nil
	}
	n := binary.BigEndian.Uint32(head[5:])
	if n > 1<<20 {
		return nil, errors.New("early payload too long")
	}
	in.Discard(9)
	text := make([]byte, n)
	_, err = io.ReadFull(in, text)
	return text, err
}

// post sends one request inside Noise: POST, unless the path is "METHOD /path". The caller closes the body.
func (r *raw) post(ctx context.Context, path string, body []byte) (*http.Response, error) {
	method, rest, other := strings.Cut(path, " ")
	if !other {
		method, rest = "POST", path
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://"+r.url.Host+rest, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	r.mu.Lock()
	conn := r.conn
	r.mu.Unlock()
	return conn.RoundTrip(req)
}

// ask posts and returns status and body, as JSON if it is JSON.
func (r *raw) ask(path string, body any) (object, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	res, err := r.post(ctx, path, text)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return nil, err
	}
	o := object{"status": res.StatusCode, "text": string(got)}
	var decoded any
	if json.Unmarshal(got, &decoded) == nil {
		o["json"] = decoded
	}
	return o, nil
}

// merge overlays the test's own fields on a request.
func merge(base, over object) object {
	for k, v := range over {
		base[k] = v
	}
	return base
}

func hostinfo(name string) object {
	return object{"Hostname": name, "OS": "linux", "IPNVersion": "1.0.0-raw", "BackendLogID": "", "Services": []any{}}
}

func (r *raw) keys() (key.NodePublic, key.NodePublic, key.DiscoPublic) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.node.Public(), r.old, r.disco
}

func (r *raw) private() key.NodePrivate {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.node
}

// rawRegister registers with an auth key; `fields` overlays the request.
func rawRegister(name string, args json.RawMessage) (object, error) {
	r, a, err := rawArgs[struct {
		AuthKey string `json:"authkey"`
		Fields  object `json:"fields"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	node, old, _ := r.keys()
	req := object{"Version": r.version, "NodeKey": node, "OldNodeKey": old,
		"NLKey":  "nlpub:0000000000000000000000000000000000000000000000000000000000000000",
		"Expiry": time.Time{}, "Followup": "", "Hostinfo": hostinfo(name), "NodeKeySignature": nil}
	if a.AuthKey != "" {
		req["Auth"] = object{"AuthKey": a.AuthKey}
	}
	return r.ask("/machine/register", merge(req, a.Fields))
}

// rawRotate takes a new node key; the next registration names the old one.
func rawRotate(name string, _ json.RawMessage) (object, error) {
	r, err := findRaw(name)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.old, r.node = r.node.Public(), key.NewNode()
	return object{"node_key": r.node.Public().String()}, nil
}

// rawLite sends a lite update; `fields` overlays it (Endpoints, Hostinfo, DiscoKey ...).
func rawLite(name string, args json.RawMessage) (object, error) {
	r, a, err := rawArgs[struct {
		Fields object `json:"fields"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	node, _, disco := r.keys()
	req := object{"Version": r.version, "KeepAlive": true, "NodeKey": node, "DiscoKey": disco,
		"Stream": false, "OmitPeers": true, "Compress": "zstd", "Hostinfo": hostinfo(name)}
	return r.ask("/machine/map", merge(req, a.Fields))
}

// rawRequest posts any body to any path inside Noise. `text` goes as it is.
func rawRequest(name string, args json.RawMessage) (object, error) {
	r, a, err := rawArgs[struct {
		Path string `json:"path"`
		Body any    `json:"body"`
		Text string `json:"text"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	if a.Text == "" {
		return r.ask(a.Path, a.Body)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	res, err := r.post(ctx, a.Path, []byte(a.Text))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return object{"status": res.StatusCode, "text": string(got)}, err
}

// rawStream opens a map stream and tells each frame as a "map" event, the end of
// the stream as "map-end". It returns when the response head is there.
func rawStream(name string, args json.RawMessage) (object, error) {
	r, a, err := rawArgs[struct {
		Fields object `json:"fields"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	node, _, disco := r.keys()
	req := merge(object{"Version": r.version, "KeepAlive": true, "NodeKey": node, "DiscoKey": disco,
		"Stream": true, "Compress": "zstd", "Hostinfo": hostinfo(name)}, a.Fields)
	text, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	res, err := r.post(ctx, "/machine/map", text)
	if err != nil {
		cancel()
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		defer cancel()
		got, _ := io.ReadAll(io.LimitReader(res.Body, 1000))
		res.Body.Close()
		return object{"status": res.StatusCode, "text": string(got)}, nil
	}
	r.mu.Lock()
	if r.stream != nil {
		r.stream()
	}
	r.stream = cancel
	r.mu.Unlock()
	go r.read(res.Body, req["Compress"] == "zstd")
	return object{"status": res.StatusCode}, nil
}

func (r *raw) read(body io.ReadCloser, compressed bool) {
	defer body.Close()
	unzip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	defer unzip.Close()
	for {
		frame, err := readFrame(body)
		size := len(frame)
		if err == nil && compressed {
			frame, err = unzip.DecodeAll(frame, nil)
		}
		if err == nil && !json.Valid(frame) {
			err = fmt.Errorf("frame is not JSON: %.200q", frame)
		}
		if err != nil {
			event("map-end", r.name, object{"error": err.Error(), "clean": errors.Is(err, io.EOF)})
			return
		}
		event("map", r.name, object{"map": json.RawMessage(frame), "size": size})
	}
}

func readFrame(in io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 || n > 64<<20 {
		return nil, fmt.Errorf("frame of %d bytes", n)
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(in, frame)
	return frame, err
}

// rawClose ends the map stream; with `all` the connection and the node too.
func rawClose(name string, args json.RawMessage) (object, error) {
	r, a, err := rawArgs[struct {
		All bool `json:"all"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stream != nil {
		r.stream()
		r.stream = nil
	}
	if a.All {
		r.conn.Close()
		raws.Lock()
		delete(raws.byName, name)
		raws.Unlock()
	}
	return nil, nil
}
