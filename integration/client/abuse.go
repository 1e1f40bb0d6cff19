package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Abuse: what no honest client sends, on a connection of its own whose handshake
// was honest. The answer tells whether the server ended the connection.

func init() { operations["raw_abuse"] = rawAbuse }

// abuser writes HTTP/2 frames, or bytes below them.
type abuser struct {
	noise  net.Conn // inside Noise
	outer  *tamper  // below Noise
	framer *http2.Framer
	block  bytes.Buffer
	hpack  *hpack.Encoder
}

var abuses = map[string]func(*abuser) error{
	"rapid reset":      rapidReset,
	"many streams":     manyStreams,
	"no window":        noWindow,
	"window overflow":  windowOverflow,
	"giant headers":    giantHeaders,
	"endless headers":  endlessHeaders,
	"slow body":        slowBody,
	"ping flood":       pingFlood,
	"settings flood":   settingsFlood,
	"not http2":        notHTTP2,
	"truncated record": func(a *abuser) error { return a.below([]byte{4, 0, 100, 1, 2, 3}) },
	"oversized record": func(a *abuser) error { return a.below(append([]byte{4, 0xff, 0xff}, make([]byte, 65535)...)) },
	"forged record":    func(a *abuser) error { return a.below(append([]byte{4, 0, 100}, make([]byte, 100)...)) },
	"strange record":   func(a *abuser) error { return a.below([]byte{9, 0, 1, 0}) },
	"replayed record": func(a *abuser) error {
		return a.mangled(func(first, _ []byte) [][]byte { return [][]byte{first, first} })
	},
	"reordered record": func(a *abuser) error {
		return a.mangled(func(first, second []byte) [][]byte { return [][]byte{second, first} })
	},
}

func rawAbuse(name string, args json.RawMessage) (object, error) {
	r, a, err := rawArgs[struct {
		Kind string  `json:"kind"`
		Wait float64 `json:"wait"`
	}](name, args)
	if err != nil {
		return nil, err
	}
	do := abuses[a.Kind]
	if do == nil {
		return nil, fmt.Errorf("no abuse %q", a.Kind)
	}
	ab := &abuser{}
	ab.hpack = hpack.NewEncoder(&ab.block)
	ab.noise, _, err = r.noise(func(c net.Conn) net.Conn { ab.outer = &tamper{Conn: c}; return ab.outer })
	if err != nil {
		return nil, err
	}
	defer ab.noise.Close()
	ab.framer = http2.NewFramer(ab.noise, nil)
	var heard frameLog
	ended := make(chan error, 1)
	go func() { ended <- heard.listen(ab.noise) }() // the server's side is read, or its window would hold it
	said := do(ab)
	select {
	case err := <-ended:
		return object{"ended": true, "why": fmt.Sprint(err), "said": fmt.Sprint(said), "heard": heard.last()}, nil
	case <-time.After(time.Duration(a.Wait * float64(time.Second))):
		return object{"ended": false, "said": fmt.Sprint(said), "heard": heard.last()}, nil
	}
}

// frameLog keeps the last frames that the server sent.
type frameLog struct {
	sync.Mutex
	frames []string
}

func (l *frameLog) listen(in io.Reader) error {
	framer := http2.NewFramer(io.Discard, in)
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			io.Copy(io.Discard, in)
			return err
		}
		text := f.Header().String()
		if g, ok := f.(*http2.GoAwayFrame); ok {
			text += " " + g.ErrCode.String()
		}
		l.Lock()
		l.frames = append(l.frames, text)
		l.Unlock()
	}
}

func (l *frameLog) last() []string {
	l.Lock()
	defer l.Unlock()
	return append([]string{}, l.frames[max(0, len(l.frames)-5):]...)
}

// tamper holds back what is written while it is told to.
type tamper struct {
	net.Conn
	holding bool
	held    [][]byte
}

func (t *tamper) Write(p []byte) (int, error) {
	if t.holding {
		t.held = append(t.held, bytes.Clone(p))
		return len(p), nil
	}
	return t.Conn.Write(p)
}

func (a *abuser) below(bytes []byte) error {
	_, err := a.outer.Write(bytes)
	return err
}

// mangled makes two good records and sends them as `how` says.
func (a *abuser) mangled(how func(first, second []byte) [][]byte) error {
	a.outer.holding = true
	io.WriteString(a.noise, http2.ClientPreface)
	a.framer.WriteSettings()
	a.outer.holding = false
	if len(a.outer.held) != 2 {
		return errors.New("two writes were not two records")
	}
	for _, record := range how(a.outer.held[0], a.outer.held[1]) {
		if err := a.below(record); err != nil {
			return err
		}
	}
	return nil
}

func (a *abuser) hello(settings ...http2.Setting) error {
	if _, err := io.WriteString(a.noise, http2.ClientPreface); err != nil {
		return err
	}
	return a.framer.WriteSettings(settings...)
}

// headers returns the block of a POST with some more fields.
func (a *abuser) headers(path string, more ...hpack.HeaderField) []byte {
	a.block.Reset()
	for _, f := range append([]hpack.HeaderField{{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: "x"}, {Name: ":path", Value: path}}, more...) {
		a.hpack.WriteField(f)
	}
	return a.block.Bytes()
}

func (a *abuser) open(id uint32, end bool) error {
	return a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: a.headers("/machine/map"),
		EndHeaders: true, EndStream: end})
}

func rapidReset(a *abuser) error {
	if err := a.hello(); err != nil {
		return err
	}
	for i := uint32(0); i < 20_000; i++ {
		if err := a.open(2*i+1, true); err != nil {
			return err
		}
		if err := a.framer.WriteRSTStream(2*i+1, http2.ErrCodeCancel); err != nil {
			return err
		}
	}
	return nil
}

func manyStreams(a *abuser) error {
	if err := a.hello(); err != nil {
		return err
	}
	for i := uint32(0); i < 5_000; i++ {
		if err := a.open(2*i+1, false); err != nil {
			return err
		}
	}
	return nil
}

// noWindow asks for answers that it gives no room for.
func noWindow(a *abuser) error {
	if err := a.hello(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}); err != nil {
		return err
	}
	for i := uint32(0); i < 100; i++ {
		if err := a.open(2*i+1, true); err != nil {
			return err
		}
	}
	return nil
}

func windowOverflow(a *abuser) error {
	if err := a.hello(); err != nil {
		return err
	}
	a.framer.WriteWindowUpdate(0, 1<<31-1)
	return a.framer.WriteWindowUpdate(0, 1<<31-1)
}

func giantHeaders(a *abuser) error {
	if err := a.hello(); err != nil {
		return err
	}
	block := bytes.Clone(a.headers("/machine/map", hpack.HeaderField{Name: "x", Value: strings.Repeat("é", 500_000)}))
	return a.inPieces(block)
}

func (a *abuser) inPieces(block []byte) error {
	const piece = 16_000
	if err := a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:piece]}); err != nil {
		return err
	}
	for block = block[piece:]; len(block) > piece; block = block[piece:] {
		if err := a.framer.WriteContinuation(1, false, block[:piece]); err != nil {
			return err
		}
	}
	return a.framer.WriteContinuation(1, true, block)
}

func endlessHeaders(a *abuser) error {
	if err := a.hello(); err != nil {
		return err
	}
	if err := a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: a.headers("/")}); err != nil {
		return err
	}
	for i := 0; i < 50_000; i++ {
		if err := a.framer.WriteContinuation(1, false, nil); err != nil {
			return err
		}
	}
	return nil
}

// slowBody begins many bodies and never ends them.
func slowBody(a *abuser) error {
	if err := a.hello(); err != nil {
		return err
	}
	for i := uint32(0); i < 90; i++ {
		if err := a.open(2*i+1, false); err != nil {
			return err
		}
		if err := a.framer.WriteData(2*i+1, false, []byte("{")); err != nil {
			return err
		}
	}
	return nil
}

func pingFlood(a *abuser) error {
	if err := a.hello(); err != nil {
		return err
	}
	for i := 0; i < 50_000; i++ {
		if err := a.framer.WritePing(false, [8]byte{}); err != nil {
			return err
		}
	}
	return nil
}

func settingsFlood(a *abuser) error {
	if err := a.hello(); err != nil {
		return err
	}
	for i := 0; i < 20_000; i++ {
		if err := a.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(i)}); err != nil {
			return err
		}
	}
	return nil
}

func notHTTP2(a *abuser) error {
	junk := make([]byte, 100_000)
	rand.Read(junk)
	binary.BigEndian.PutUint32(junk, 0xffffffff)
	a.noise.SetDeadline(time.Now().Add(5 * time.Second))
	_, err := a.noise.Write(junk)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("not read")
	}
	return err
}
