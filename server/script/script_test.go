package script

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"cobble/server/resp"
)

// echoHost answers every command with its arguments.
type echoHost struct{ stop error }

func (h *echoHost) Command(args [][]byte, _ int) ([]byte, error) {
	if h.stop != nil {
		return nil, h.stop
	}
	reply := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, arg := range args {
		reply = fmt.Appendf(reply, "$%d\r\n%s\r\n", len(arg), arg)
	}
	return reply, nil
}
func (h *echoHost) MayCall([][]byte) (bool, error) { return true, nil }
func (h *echoHost) Log(int, string)                {}

func eval(t testing.TB, s *Store, host Host, body string) (string, error) {
	t.Helper()
	p, err := s.Put([]byte(body), false)
	if err != nil {
		return "", err
	}
	var out resp.Writer
	run := &Run{Host: host}
	err = run.Program(s, p, &out)
	return string(out.Bytes()), err
}

// TestHostEndsScript: what the host returns as an error ends the script, although the script catches errors.
func TestHostEndsScript(t *testing.T) {
	var s Store
	want := errors.New("enough")
	for _, body := range []string{"return redis.call('x')", "return redis.pcall('x')", "while true do pcall(redis.call,'x') end",
		"local co = coroutine.create(function() while true do pcall(redis.call,'x') end end) while true do coroutine.resume(co) end"} {
		if _, err := eval(t, &s, &echoHost{stop: want}, body); !errors.Is(err, want) {
			t.Errorf("%s: %v", body, err)
		}
	}
	if got, err := eval(t, &s, &echoHost{}, "return redis.call('a','b')"); err != nil || got != "*2\r\n$1\r\na\r\n$1\r\nb\r\n" {
		t.Errorf("afterwards: %q, %v", got, err)
	}
}

// TestRunawayScripts: recursion without end, huge tables on the stack and deep replies are errors, not crashes.
func TestRunawayScripts(t *testing.T) {
	var s Store
	for _, body := range []string{
		"local function f() return 1 + f() end return f()",
		"local t = {} for i=1,2000000 do t[i] = i end return {unpack(t)}",
		"local t = {} t[1] = t return t",
		"return string.rep('x', -1)",
		"local t = {} for i=1,5000 do t = {t} end return cjson.encode(t)",
		"return cjson.decode(string.rep('[', 100000))",
		"return cmsgpack.unpack(string.rep('\\x91', 100000))",
		"return struct.unpack('c100', 'x')",
		"return string.format('%s')",
		"return ('x'):rep(10, 20, 30)",
	} {
		got, err := eval(t, &s, &echoHost{}, body)
		var raised Error
		if err != nil && !errors.As(err, &raised) {
			t.Errorf("%s: %v", body, err)
		}
		if strings.Contains(string(raised), "\n") {
			t.Errorf("%s: the error has several lines: %q", body, raised)
		}
		_ = got
	}
}

// TestSparseTable: one high key in a table costs no array up to it, and is found again.
func TestSparseTable(t *testing.T) {
	var s Store
	const body = "local t = {} for i = 1, 50 do t[i * 100000000] = i t[%d + i] = i end return {t[100000000], t[5000000000], t[%d], #t}"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := eval(t, &s, &echoHost{}, fmt.Sprintf(body, maxArray, maxArray+7))
	runtime.ReadMemStats(&after)
	if want := "*4\r\n:1\r\n:50\r\n:7\r\n:0\r\n"; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
		t.Errorf("100 keys took %d bytes", grown)
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{"return 1", "#!lua flags=no-writes\nreturn 1", "return (", "#!lua name=x\nredis.register_function('f', function() end)", "local t = {} return t[1]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if p, err := Compile([]byte(body)); err == nil && p.SHA != SHA1([]byte(body)) {
			t.Error("the name is not the SHA-1")
		}
		lib := &Library{Code: body}
		_, _ = lib.header()
	})
}

func FuzzDecoders(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5,"x\u00e9",null,true]}`))
	f.Add([]byte("\x93\x01\xa1x\xc0"))
	in := newInterpreter()
	// Five bytes of MessagePack are a key that the library pads an array up to: cheap for one, not for a thousand a run.
	lua.MaxArrayIndex = 1 << 10
	f.Cleanup(func() { lua.MaxArrayIndex = maxArray })
	f.Fuzz(func(t *testing.T, b []byte) {
		d := jsonDecoder{lib: &jsonLib{decodeDepth: 100, decodeInvalid: true}, L: in.L, text: string(b)}
		d.space()
		d.value(0)
		r := msgReader{L: in.L, b: b}
		r.value(0)
	})
}

func BenchmarkEval(b *testing.B) {
	var s Store
	p, err := s.Put([]byte("return redis.call('get', KEYS[1])"), false)
	if err != nil {
		b.Fatal(err)
	}
	host := &echoHost{}
	keys := [][]byte{[]byte("k")}
	var out resp.Writer
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		run := &Run{Host: host, Keys: keys}
		if err := run.Program(&s, p, &out); err != nil {
			b.Fatal(err)
		}
	}
}
