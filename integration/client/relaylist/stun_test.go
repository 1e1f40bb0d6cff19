//go:build !release164 && !release180

package relaylist

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"tailscale.com/net/stun"
)

func (r *relay) stunDial() net.Conn {
	r.t.Helper()
	c, err := net.Dial("udp", net.JoinHostPort(r.host, strconv.Itoa(r.stunPort())))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

func sealed(head []byte) []byte {
	head = append(head, 0x80, 0x28, 0, 4)
	return binary.BigEndian.AppendUint32(head, crc32.ChecksumIEEE(head[:len(head)-4])^0x5354554e)
}

// The official request, answered from the address that was asked; everything else is met with silence.
func TestSTUN(t *testing.T) {
	r := start(t, how{})
	c, ids := r.stunDial(), map[stun.TxID]bool{}
	// What is asked once more, since a datagram may be lost even here, may have two answers. What is strange has none.
	hear := func() (id stun.TxID, from netip.AddrPort, size int, err error) {
		t.Helper()
		in := make([]byte, 1500)
		if size, err = c.Read(in); err != nil {
			return id, from, 0, err
		}
		if id, from, err = stun.ParseResponse(in[:size]); err != nil || !ids[id] || from.String() != c.LocalAddr().String() {
			t.Fatalf("%x %v %v, asked by %v", in[:size], from, err, c.LocalAddr())
		}
		return id, from, size, nil
	}
	answered := func(request func(id stun.TxID) []byte) (size int) {
		t.Helper()
		asked := stun.NewTxID()
		ids[asked] = true
		for end := time.Now().Add(patience); time.Now().Before(end); {
			c.Write(request(asked))
			c.SetReadDeadline(time.Now().Add(time.Second))
			for id, _, size, err := hear(); err == nil; id, _, size, err = hear() {
				if id == asked {
					return size
				}
			}
			time.Sleep(10 * time.Millisecond) // the stock relay opens this door later, and the kernel says so at once
		}
		t.Fatal("no answer")
		return 0
	}
	for range 2 {
		if n := answered(stun.Request); n != 32 && !(kind == "derper" && n == 44) {
			t.Fatalf("%d bytes", n)
		}
	}
	id := stun.NewTxID()
	good := stun.Request(id)
	software := []byte{0x80, 0x22, 0, 8, 't', 'a', 'i', 'l', 'n', 'o', 'd', 'e'}
	head := func(kind, len uint16) []byte {
		b := binary.BigEndian.AppendUint16(nil, kind)
		b = binary.BigEndian.AppendUint16(b, len)
		return append(append(b, 0x21, 0x12, 0xa4, 0x42), id[:]...)
	}
	strange := [][]byte{{}, {0}, good[:19], good[:20], good[:39], head(1, 0), sealed(head(1, 8)), append(head(1, 12), software...),
		sealed(append(head(2, 20), software...)), sealed(append(head(0x101, 20), software...)), append(sealed(append(head(1, 20), software...)), 0, 0, 0, 0),
		bytes.Replace(good, []byte("tailnode"), []byte("tailnodE"), 1), bytes.Repeat([]byte{0xff}, 1400), bytes.Repeat(good, 3)}
	broken := bytes.Clone(good)
	broken[len(broken)-1] ^= 1
	wrongCookie := bytes.Clone(good)
	wrongCookie[4] ^= 1
	strange = append(strange, broken, wrongCookie)
	for _, s := range strange {
		c.Write(s)
	}
	answered(stun.Request) // it came behind them, to the same thread: they have been seen
	c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	for _, _, _, err := hear(); err == nil; _, _, _, err = hear() {
	}
	// An attribute that nobody knows may stand between, the header's length is not looked at.
	answered(func(asked stun.TxID) []byte {
		id = asked
		return sealed(append(append(head(1, 999), 0x80, 0x77, 0, 3, 1, 2, 3, 0), software...))
	})
	r.awaitLeast(4, "stun_requests", "disposition=success")
	r.awaitLeast(len(strange)-2, "stun_requests", "disposition=not_stun")
}

// A flood is answered as far as the limit goes, and no further; answers are smaller than requests. The stock relay has no limit.
func TestSTUNLimit(t *testing.T) {
	if kind == "derper" {
		r := start(t, how{})
		r.stunDial()
		return
	}
	const limit, count = 100, 5000
	r := start(t, how{extra: []string{"limits.stun: 100"}})
	bystander := r.join()
	c := r.stunDial()
	begun := time.Now()
	for range count {
		c.Write(stun.Request(stun.NewTxID()))
	}
	got, in := 0, make([]byte, 1500)
	for c.SetReadDeadline(time.Now().Add(time.Second)); ; got++ {
		if n, err := c.Read(in); err != nil {
			break
		} else if n > 40 {
			t.Fatalf("%d bytes", n)
		}
	}
	// Two threads, each with its own limit.
	if most := 2 * int((time.Since(begun).Seconds()+0.2)*limit+1); got == 0 || got > most {
		t.Fatalf("%d answers of %d", got, most)
	}
	r.awaitLeast(1, "stun_requests", "disposition=limited")
	bystander.pong()
}

// On all addresses of a host with several, of both families: each is answered from the address that was asked, and told where it came from.
func TestSTUNAddresses(t *testing.T) {
	port := 20000 + os.Getpid()%10000
	r := start(t, how{everywhere: port})
	const second = "fd7a:7e57::1"
	if out, err := exec.Command("ip", "-6", "address", "replace", second+"/128", "dev", "lo", "nodad").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for _, try := range []struct{ from, to string }{{"127.0.0.1", r.host}, {r.host, "127.0.0.1"}, {"::1", "::1"}, {"::1", second}, {second, "::1"}, {second, second}} {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(try.from)})
		if err != nil {
			t.Fatal(err)
		}
		to := &net.UDPAddr{IP: net.ParseIP(try.to), Port: port}
		id, in := stun.NewTxID(), make([]byte, 1500)
		for n := 0; ; n++ { // a datagram may be lost even here
			c.WriteToUDP(stun.Request(id), to)
			c.SetReadDeadline(time.Now().Add(time.Second))
			size, from, err := c.ReadFromUDP(in)
			if err != nil && n < 20 {
				continue
			}
			if err != nil {
				t.Fatalf("%s to %s: %v", try.from, try.to, err)
			}
			got, told, err := stun.ParseResponse(in[:size])
			if err != nil || got != id || told.String() != c.LocalAddr().String() {
				t.Fatalf("%s to %s: %v %v %v", try.from, try.to, got, told, err)
			}
			if want := map[bool]int{true: 44, false: 32}[to.IP.To4() == nil]; size != want && kind == "ours" {
				t.Fatalf("%s to %s: %d bytes", try.from, try.to, size)
			}
			if kind == "ours" && !from.IP.Equal(to.IP) { // the stock relay lets the kernel choose
				t.Fatalf("asked at %v, answered by %v", to, from)
			}
			break
		}
		c.Close()
	}
	for _, family := range []string{"ipv4", "ipv6"} {
		r.awaitLeast(1, "stun_addrfamily", "family="+family)
	}
}
