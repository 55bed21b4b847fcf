package config

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteDocs prints docs/config.md.
func WriteDocs(to io.Writer) error {
	w := bufio.NewWriter(to)
	fmt.Fprint(w, `# Settings

Generated from the settings table: do not edit. A config file has the syntax of
redis.conf; every setting can also be given as `+"`--name value`"+` behind
`+"`cobble server`"+`. "live" settings change with CONFIG SET.
`)
	for _, section := range Sections() {
		fmt.Fprintf(w, "\n## %s\n\n| setting | type | default | live | meaning |\n|---|---|---|---|---|\n", section.Title)
		for i := range section.Settings {
			s := &section.Settings[i]
			if s.is(Hidden) {
				continue
			}
			fmt.Fprintf(w, "| `%s`%s | %s | %s | %s | %s%s |\n", s.Name, docAlias(s), s.docType(), docDefault(s), docLive(s), s.Note, docEffect(s, section.Title))
		}
	}
	return w.Flush()
}

func docAlias(s *Setting) string {
	if s.Alias == "" {
		return ""
	}
	return ", `" + s.Alias + "`"
}

func docDefault(s *Setting) string {
	switch {
	case s.Kind == KindDir:
		return "the working directory"
	case s.Default == "":
		return "empty"
	}
	return "`" + s.Default + "`"
}

func docLive(s *Setting) string {
	switch {
	case s.is(Immutable):
		return "no"
	case s.is(Protected):
		return "protected"
	}
	return "yes"
}

func docEffect(s *Setting, section string) string {
	if s.is(Accepted) && !strings.HasPrefix(section, "Accepted") {
		return " *Accepted without effect.*"
	}
	return ""
}

func (s *Setting) docType() string {
	switch s.Kind {
	case KindBool:
		return "yes, no"
	case KindInt:
		return docRange(s)
	case KindOctal:
		return "octal"
	case KindMemory:
		return "bytes"
	case KindPercent:
		return "bytes or %"
	case KindEnum, KindFlags:
		return strings.Join(s.Choices, ", ")
	case KindWords, KindPercentiles:
		return "list"
	case KindSave:
		return "seconds and changes"
	case KindBuffers:
		return "class, hard, soft, seconds"
	case KindNotify:
		return "letters of `" + strings.ReplaceAll(notifyClasses, "$", "\\$") + "A`"
	case KindHostPort:
		return "host and port"
	}
	return "text"
}

func docRange(s *Setting) string {
	switch {
	case s.Max == maxInt64 || s.Max == maxInt:
		return fmt.Sprintf("integer ≥ %d", s.Min)
	}
	return fmt.Sprintf("%d … %d", s.Min, s.Max)
}
