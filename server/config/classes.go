package config

import (
	"strconv"
	"strings"
)

// parseSave reads "900 1 300 10" or "" (no save point).
func parseSave(in []string) (*Value, error) {
	v := parseWords(in)
	if len(v.Words)%2 != 0 {
		return nil, Refusal("Invalid save parameters")
	}
	for i, word := range v.Words {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil || n < 0 || i%2 == 0 && n < 1 {
			return nil, Refusal("Invalid save parameters")
		}
	}
	return v, nil
}

// Class is a class of clients with an output buffer limit of its own.
type Class uint8

// The classes, in the order CONFIG GET prints them.
const (
	ClassNormal Class = iota
	ClassReplica
	ClassPubsub
	classes
)

var classNames = [classes]string{"normal", "slave", "pubsub"}

// BufferLimit is the output buffer limit of a class: a client over Hard bytes
// is closed at once, one over Soft bytes for SoftSeconds on end too. 0 is no limit.
type BufferLimit struct{ Hard, Soft, SoftSeconds int64 }

func parseClass(word string) (Class, bool) {
	switch strings.ToLower(word) {
	case "normal":
		return ClassNormal, true
	case "slave", "replica":
		return ClassReplica, true
	case "pubsub":
		return ClassPubsub, true
	}
	return 0, false
}

// parseBuffers reads "<class> <hard> <soft> <seconds>" quadruples; classes
// that are not named keep their limits.
func parseBuffers(in []string, old *Value) (*Value, error) {
	if len(in) == 1 {
		in = strings.Fields(in[0])
	}
	if len(in)%4 != 0 {
		return nil, Refusal("Wrong number of arguments in buffer limit configuration.")
	}
	limits := bufferLimits(old)
	for ; len(in) > 0; in = in[4:] {
		class, ok := parseClass(in[0])
		if !ok {
			return nil, Refusal("Invalid client class specified in buffer limit configuration.")
		}
		hard, ok1 := ParseMemory(in[1])
		soft, ok2 := ParseMemory(in[2])
		seconds, err := strconv.ParseInt(in[3], 10, 64)
		if !ok1 || !ok2 || err != nil || seconds < 0 {
			return nil, Refusal("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
		}
		limits[class] = BufferLimit{hard, soft, seconds}
	}
	var words []string
	for class, limit := range limits {
		words = append(words, classNames[class], strconv.FormatInt(limit.Hard, 10),
			strconv.FormatInt(limit.Soft, 10), strconv.FormatInt(limit.SoftSeconds, 10))
	}
	return &Value{Text: strings.Join(words, " "), Words: words}, nil
}

func bufferLimits(v *Value) [classes]BufferLimit {
	var limits [classes]BufferLimit
	if v == nil {
		return limits
	}
	for w := v.Words; len(w) >= 4; w = w[4:] {
		class, _ := parseClass(w[0])
		limit := &limits[class]
		limit.Hard, _ = strconv.ParseInt(w[1], 10, 64)
		limit.Soft, _ = strconv.ParseInt(w[2], 10, 64)
		limit.SoftSeconds, _ = strconv.ParseInt(w[3], 10, 64)
	}
	return limits
}

// BufferLimits returns the output buffer limits, indexed by Class.
func (c *Config) BufferLimits() [classes]BufferLimit {
	return bufferLimits(c.value("client-output-buffer-limit"))
}

// notifyClasses are the letters of notify-keyspace-events in the order of
// their bits and of Redis's printing.
const notifyClasses = "g$lshzxetdKEmn"

// notifyAll are the letters that 'A' stands for.
const notifyAll = "g$lshzxetd"

// parseNotify reads event classes; Int has bit i set for letter i of notifyClasses.
func parseNotify(word string) (*Value, error) {
	var set int64
	for _, letter := range []byte(word) {
		if letter == 'A' {
			for i := range len(notifyAll) {
				set |= 1 << i
			}
			continue
		}
		i := strings.IndexByte(notifyClasses, letter)
		if i < 0 {
			return nil, Refusal("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
		}
		set |= 1 << i
	}
	var shown strings.Builder
	all := int64(1)<<len(notifyAll) - 1
	rest := set
	if set&all == all {
		shown.WriteByte('A')
		rest &^= all
	}
	for i := range len(notifyClasses) {
		if rest&(1<<i) != 0 {
			shown.WriteByte(notifyClasses[i])
		}
	}
	return &Value{Text: shown.String(), Int: set}, nil
}
