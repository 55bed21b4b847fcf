package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// smallKeys is how many small collections of each type there are, and how many elements
// the one large key of each type is given.
const smallKeys = 100_000

// smallTest is a command on collections: on one of many small keys, or on one large.
type smallTest struct {
	name    string
	command []string
	before  []string // what is sent as often before it is measured, so that it finds something
}

const random = "__rand_int__"

func smallTests() []smallTest {
	many := func(name, key string, rest ...string) smallTest {
		return smallTest{name + ", many keys", append([]string{name, key + ":" + random}, rest...), nil}
	}
	one := func(name, key string, rest ...string) smallTest {
		return smallTest{name + ", one key", append([]string{name, "one:" + key}, rest...), nil}
	}
	after := func(t smallTest, before ...string) smallTest { t.before = before; return t }
	return []smallTest{
		many("LPUSH", "list", "element"), one("LPUSH", "list", "element:"+random),
		after(many("RPOP", "list"), "LPUSH", "list:"+random, "element"), after(one("RPOP", "list"), "LPUSH", "one:list", "element:"+random),
		many("LRANGE", "list", "0", "9"), one("LRANGE", "list", "1000", "1009"),
		many("SADD", "set", random), one("SADD", "set", "element:"+random),
		after(one("SREM", "set", "element:"+random), "SADD", "one:set", "element:"+random),
		many("ZADD", "zset", random, "m3"), one("ZADD", "zset", random, "element:"+random),
		many("ZINCRBY", "zset", "1", "m5"), one("ZINCRBY", "zset", "1", "element:"+random),
		many("ZRANGE", "zset", "0", "9"), one("ZRANGE", "zset", "1000", "1009"),
		many("HSET", "hash", "m3", "value:"+random), one("HSET", "hash", "element:"+random, "value:"+random),
		many("HGETALL", "hash"), {"HGETALL, one key", []string{"HGETALL", "hash:000000000007"}, nil},
		many("XADD", "stream", "*", "field", "value:"+random), one("XADD", "stream", "*", "field", "value:"+random),
	}
}

// findSmall returns the test of a name.
func findSmall(name string) (smallTest, bool) {
	for _, t := range smallTests() {
		if t.name == name {
			return t, true
		}
	}
	return smallTest{}, false
}

// measureSmall measures commands on small collections, and on one large one.
func measureSmall(s *settings) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "\n## Small collections\n\nMany keys: %d of each type with ten short elements. One key: of up to %d elements, but HGETALL (ten). everysec.\n\n", smallKeys, smallKeys)
	out.WriteString("| test | keys | P | durability | CPU efficiency (redis ÷ Cobble), median [range] | CPU µs/op redis / cobble | ops/s redis / cobble | p50 ms | p99 ms | RSS MiB |\n|---|---|---|---|---|---|---|---|---|---|\n")
	var servers []*process
	for _, name := range []string{"redis", "cobble"} {
		p, err := s.startEmpty(name, "everysec")
		if err != nil {
			return "", err
		}
		defer p.remove()
		if err := p.fillSmall(); err != nil {
			return "", err
		}
		servers = append(servers, p)
	}
	for _, t := range smallTests() {
		if s.smallOnly != "" && !strings.Contains(t.name, s.smallOnly) {
			continue
		}
		for _, depth := range s.pipelines {
			line, err := measureCell(s, servers, cell{t.name, depth, smallKeys}, "everysec")
			if err != nil {
				return "", err
			}
			out.WriteString(line)
			fmt.Fprint(os.Stderr, line)
		}
	}
	return out.String(), nil
}

// fillSmall makes the small collections, and large ones of which commands read.
func (p *process) fillSmall() error {
	kinds := []string{"RPUSH list:", "SADD set:", "ZADD zset:", "HSET hash:"}
	err := p.pipeline(smallKeys*len(kinds), func(dst []byte, i int) []byte {
		name, key, _ := strings.Cut(kinds[i%len(kinds)], " ")
		args := []string{name, fmt.Sprintf("%s%012d", key, i/len(kinds))}
		for e := range 10 {
			switch element := "m" + strconv.Itoa(e); name {
			case "ZADD":
				args = append(args, strconv.Itoa(e), element)
			case "HSET":
				args = append(args, element, "value")
			default:
				args = append(args, element)
			}
		}
		return encode(dst, args...)
	})
	if err != nil {
		return err
	}
	return p.pipeline(smallKeys, func(dst []byte, i int) []byte {
		element := fmt.Sprintf("element:%012d", i)
		dst = encode(dst, "ZADD", "one:zset", strconv.Itoa(i), element)
		return dst
	})
}

// repeat sends a command n times, unmeasured.
func (p *process) repeat(command []string, n, keys int) error {
	args := append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(p.port), "-c", "10", "-n", strconv.Itoa(n), "-P", "32", "-r", strconv.Itoa(keys), "-q"}, command...)
	return exec.Command("redis-benchmark", args...).Run()
}
