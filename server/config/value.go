package config

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

const (
	maxInt   = math.MaxInt32
	maxInt64 = math.MaxInt64
)

// Refusal is why a value is not accepted, by a row or by a watcher, in Redis's words.
type Refusal string

func (r Refusal) Error() string { return string(r) }

var errWords error = Refusal("wrong number of arguments")

// parse reads the words of a directive. old is the value before, which the
// kinds that add up (KindBuffers) start from.
func (s *Setting) parse(in []string, old *Value) (*Value, error) {
	switch s.Kind {
	case KindWords, KindSave, KindBuffers, KindPercentiles, KindFlags, KindHostPort:
	default:
		if len(in) != 1 {
			return nil, errWords
		}
	}
	v, err := s.parseKind(in, old)
	if err == nil && s.Check != nil {
		err = s.Check(in)
	}
	return v, err
}

func (s *Setting) parseKind(in []string, old *Value) (*Value, error) {
	switch s.Kind {
	case KindBool:
		return parseBool(in[0])
	case KindInt, KindOctal, KindMemory, KindPercent:
		return s.parseNumber(in[0])
	case KindEnum:
		for i, choice := range s.Choices {
			if strings.EqualFold(choice, in[0]) {
				return &Value{Text: choice, Int: int64(i)}, nil
			}
		}
		return nil, s.choicesError()
	case KindFlags:
		return s.parseFlags(in)
	case KindText:
		return &Value{Text: in[0]}, nil
	case KindDir:
		return parseDir(in[0])
	case KindWords:
		return parseWords(in), nil
	case KindSave:
		return parseSave(in)
	case KindBuffers:
		return parseBuffers(in, old)
	case KindNotify:
		return parseNotify(in[0])
	case KindHostPort:
		return parseHostPort(in)
	case KindPercentiles:
		return parsePercentiles(in)
	}
	panic("config: row " + s.Name + " has no kind")
}

func parseBool(word string) (*Value, error) {
	switch strings.ToLower(word) {
	case "yes":
		return &Value{Text: "yes", Int: 1}, nil
	case "no":
		return &Value{Text: "no"}, nil
	}
	return nil, Refusal("argument must be 'yes' or 'no'")
}

func (s *Setting) parseNumber(word string) (*Value, error) {
	var n int64
	switch s.Kind {
	case KindOctal:
		var err error
		if n, err = strconv.ParseInt(word, 8, 64); err != nil {
			return nil, Refusal("argument couldn't be parsed as an octal number")
		}
	case KindInt:
		var err error
		if n, err = strconv.ParseInt(word, 10, 64); err != nil || strconv.FormatInt(n, 10) != word {
			return nil, Refusal("argument couldn't be parsed into an integer")
		}
	case KindPercent:
		if digits, is := strings.CutSuffix(word, "%"); is {
			percent, err := strconv.ParseInt(digits, 10, 64)
			if err != nil || percent < 0 {
				return nil, Refusal("argument must be a memory or percent value")
			}
			if percent > 100 {
				return nil, Refusal("percentage argument must be less or equal to 100")
			}
			return &Value{Text: strconv.FormatInt(percent, 10) + "%", Int: -percent}, nil
		}
		fallthrough
	case KindMemory:
		var ok bool
		if n, ok = ParseMemory(word); !ok {
			if s.Kind == KindPercent {
				return nil, Refusal("argument must be a memory or percent value")
			}
			return nil, Refusal("argument must be a memory value")
		}
	}
	if s.Name == "hz" { // clamped, not refused, as in Redis
		n = min(max(n, s.Min), s.Max)
	}
	if n < s.Min || n > s.Max {
		if s.Kind == KindOctal {
			return nil, fmt.Errorf("argument must be between %o and %o inclusive", s.Min, s.Max)
		}
		return nil, fmt.Errorf("argument must be between %d and %d inclusive", s.Min, s.Max)
	}
	if s.Kind == KindOctal {
		return &Value{Text: strconv.FormatInt(n, 8), Int: n}, nil
	}
	return &Value{Text: strconv.FormatInt(n, 10), Int: n}, nil
}

// ParseMemory reads bytes with redis.conf's units: k, m, g are powers of 1000,
// kb, mb, gb powers of 1024, in any case.
func ParseMemory(word string) (bytes int64, ok bool) {
	digits := 0
	for digits < len(word) && word[digits] >= '0' && word[digits] <= '9' {
		digits++
	}
	unit := int64(1)
	switch strings.ToLower(word[digits:]) {
	case "", "b":
	case "k":
		unit = 1000
	case "kb":
		unit = 1 << 10
	case "m":
		unit = 1000 * 1000
	case "mb":
		unit = 1 << 20
	case "g":
		unit = 1000 * 1000 * 1000
	case "gb":
		unit = 1 << 30
	default:
		return 0, false
	}
	if digits == 0 { // "" and "b" are zero, as in Redis
		return 0, true
	}
	n, err := strconv.ParseInt(word[:digits], 10, 64)
	if err != nil || n > maxInt64/unit {
		return 0, false
	}
	return n * unit, true
}

func (s *Setting) choicesError() error {
	return Refusal("argument(s) must be one of the following: " + strings.Join(s.Choices, ", "))
}

func (s *Setting) parseFlags(in []string) (*Value, error) {
	if len(in) == 0 {
		return nil, errWords
	}
	var set int64
next:
	for _, word := range strings.Fields(strings.Join(in, " ")) {
		for i, choice := range s.Choices {
			if strings.EqualFold(choice, word) {
				set |= 1 << i
				continue next
			}
		}
		return nil, s.choicesError()
	}
	var names []string
	for i, choice := range s.Choices {
		if set&(1<<i) != 0 && (i > 0 || set == 1) {
			names = append(names, choice)
		}
	}
	return &Value{Text: strings.Join(names, " "), Int: set}, nil
}

func parseDir(path string) (*Value, error) {
	info, err := os.Stat(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, Refusal("No such file or directory")
		}
		return nil, Refusal(PlainReason(err))
	}
	if !info.IsDir() {
		return nil, Refusal("Not a directory")
	}
	return &Value{Text: path}, nil
}

// parseWords takes both forms of a list: several words of a line, and the one
// word with blanks in it that CONFIG SET is given.
func parseWords(in []string) *Value {
	if len(in) == 1 {
		in = strings.Fields(in[0])
	}
	return &Value{Text: strings.Join(in, " "), Words: in}
}

func parseHostPort(in []string) (*Value, error) {
	if len(in) == 1 {
		in = strings.Fields(in[0])
	}
	if len(in) == 0 {
		return &Value{}, nil
	}
	if len(in) != 2 {
		return nil, errWords
	}
	if strings.EqualFold(in[0], "no") && strings.EqualFold(in[1], "one") {
		return &Value{}, nil
	}
	if port, err := strconv.Atoi(in[1]); err != nil || port < 0 || port > 65535 {
		return nil, Refusal("Invalid master port")
	}
	return &Value{Text: strings.Join(in, " "), Words: in}, nil
}

func parsePercentiles(in []string) (*Value, error) {
	v := parseWords(in)
	shown := make([]string, len(v.Words))
	for i, word := range v.Words {
		p, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, Refusal("Invalid latency-tracking-info-percentiles parameters")
		}
		if math.IsNaN(p) || p < 0 || p > 100 {
			return nil, Refusal("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
		}
		shown[i] = strconv.FormatFloat(p, 'g', -1, 64)
	}
	return &Value{Text: strings.Join(shown, " "), Words: shown}, nil
}

// PlainReason says what the system had against a file, as C does.
func PlainReason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	reason := err.Error()
	return strings.ToUpper(reason[:1]) + reason[1:]
}
