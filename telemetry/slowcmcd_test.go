package telemetry_test

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/telemetry"
)

// The slow, obvious CMCD decoder that the fast one is held against: regular
// expressions written from RFC 8941, and the table of keys written from
// CTA-5004-B, not from the fast one.
const (
	reKey   = `[a-z*][a-z0-9_.*-]*`
	reNum   = `-?\d+(?:\.\d+)?`
	reStr   = `"(?:[ !\x23-\x5b\x5d-\x7e]|\\["\\])*"`
	reToken = `[A-Za-z*][A-Za-z0-9!#$%&'*+.^_|~:/` + "`" + `-]*`
	reBare  = `(?:` + reStr + `|` + reNum + `|` + reToken + `|\?[01]|:[A-Za-z0-9+/=]*:)`
	reParam = `; *` + reKey + `(?:=` + reBare + `)?`
	reItem  = reBare + `(?:` + reParam + `)*`
	reList  = `\( *(?:` + reItem + `(?: +` + reItem + `)*)? *\)(?:` + reParam + `)*`
)

var (
	slowMember  = regexp.MustCompile(`^(` + reKey + `)(?:=(` + reList + `|` + reItem + `)|((?:` + reParam + `)*))$`)
	slowItem    = regexp.MustCompile(`^(` + reBare + `)((?:` + reParam + `)*)`)
	slowIsToken = regexp.MustCompile(`^[A-Za-z*]`)
	slowIsNum   = regexp.MustCompile(`^` + reNum + `$`)
	slowEscape  = regexp.MustCompile(`\\(.)`)
	slowParam   = regexp.MustCompile(`^; *(` + reKey + `)(?:=(` + reBare + `))?`)
)

// slowTypes is the table of keys: I integer from..to, L list of integers up to,
// S string up to, T tokens, X list of strings, B boolean, D decimal.
var slowTypes = parseSlowTypes(`
	ab L 100000; lab L 100000; tab L 100000; br L 100000; lb L 100000; pb L 100000; tb L 100000; tpb L 100000
	bl L 86400000; bsa L 86400000; bsd L 86400000; bsda L 86400000; tbl L 86400000; mtp L 100000000
	d I 0 86400000; dl I 0 86400000; dfa I 0 9007199254740991; ltc I 0 600000; msd I 100 120000
	pt I 0 9007199254740991; rc I 0 999; rtp I 0 100000000; sn I 0 9007199254740991; ts I 0 140737488355327
	ttfb I 0 600000; ttfbb I 0 600000; ttlb I 0 600000; v I 1 9007199254740991
	cdn S 128; cen S 64; cid S 128; cmsdd S 4096; cmsds S 4096; cs S 4096; h S 128; nrr S 64; sid S 64; smrt S 4096; url S 4096
	e T; ot T m a v av i c tt k o; sf T d h e s o; st T v l ll; sta T s p k r a w e f q d
	ec X; nor X; bg B; bs B; nr B; su B; pr D`)

func parseSlowTypes(table string) map[string][]string {
	types := map[string][]string{}
	for _, row := range strings.FieldsFunc(table, func(r rune) bool { return r == ';' || r == '\n' }) {
		if fields := strings.Fields(row); len(fields) > 0 {
			types[fields[0]] = fields[1:]
		}
	}
	return types
}

// slowDecode returns what the valid keys of a record hold, in words, and how
// many members were not right.
func slowDecode(raw string) (values map[string]string, faults int) {
	values = map[string]string{}
	members := slowMembers(raw)
	for i, member := range members {
		member = strings.Trim(member, " \t")
		if member == "" && i == len(members)-1 {
			continue
		}
		parts := slowMember.FindStringSubmatch(member)
		if len(parts) < 3 || slowTooLong(parts[2]) {
			faults++
			continue
		}
		value, ok := slowValue(parts[1], parts[2])
		if !ok {
			faults++
		} else if value != "" {
			values[parts[1]] = value
		}
	}
	return values, faults
}

// slowMembers splits a dictionary at the commas outside strings.
func slowMembers(raw string) []string {
	var members []string
	quoted, from := false, 0
	for i := 0; i < len(raw); i++ {
		switch {
		case quoted && raw[i] == '\\':
			i++
		case raw[i] == '"':
			quoted = !quoted
		case raw[i] == ',' && !quoted:
			members = append(members, raw[from:i])
			from = i + 1
		}
	}
	return append(members, raw[from:])
}

var slowNumber = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|:[A-Za-z0-9+/=]*:|` + reKey + `=?|` + reToken + `|` + reNum)

// slowTooLong reports whether a number has more digits than RFC 8941 allows.
func slowTooLong(value string) bool {
	for _, word := range slowNumber.FindAllString(value, -1) {
		if c := word[0]; c != '-' && (c < '0' || c > '9') {
			continue
		}
		if len(strings.ReplaceAll(strings.TrimPrefix(word, "-"), ".", "")) > 15 {
			return true
		}
	}
	return false
}

// slowValue returns a value in words, "" for keys to be ignored.
func slowValue(key, value string) (words string, ok bool) {
	if value == "" {
		value = "?1"
	}
	list := strings.HasPrefix(value, "(")
	var items []string
	rest := strings.TrimLeft(strings.TrimPrefix(value, "("), " ")
	for {
		item := slowItem.FindString(rest)
		if item == "" {
			break
		}
		items = append(items, item)
		rest = strings.TrimLeft(rest[len(item):], " ")
	}
	kind, known := slowTypes[key]
	switch {
	case known && kind[0] == "L":
		return slowNumbers(items, kind[1])
	case known && kind[0] == "X":
		return slowTexts(items)
	case list && (known || !strings.Contains(key, "-")):
		return "", !known
	case list:
		return "", true
	case known:
		return slowSingle(kind, slowItem.FindStringSubmatch(items[0])[1])
	case !strings.Contains(key, "-"):
		return "", true
	}
	bare := slowItem.FindStringSubmatch(items[0])[1]
	if bare[0] != '"' && !slowIsToken.MatchString(bare) {
		return "", false
	}
	text := slowUnquote(bare)
	return "custom " + text, len(text) <= 64 && len(key) <= 64
}

func slowNumbers(items []string, most string) (string, bool) {
	words := []string{}
	for _, item := range items {
		parts := slowItem.FindStringSubmatch(item)
		if !slowInteger(parts[1], "0", most) {
			return "", false
		}
		n, _ := strconv.ParseInt(parts[1], 10, 64)
		flag, _ := slowParams(parts[2])
		words = append(words, fmt.Sprintf("%d;%s", n, flag))
	}
	return fmt.Sprint(words), true
}

func slowTexts(items []string) (string, bool) {
	words := []string{}
	for _, item := range items {
		parts := slowItem.FindStringSubmatch(item)
		text := slowUnquote(parts[1])
		if c := text + " "; parts[1][0] != '"' && strings.ContainsAny(c[:1], "?:") || strings.Contains(parts[1], ".") && slowIsNumber(parts[1]) {
			return "", false
		}
		if slowIsNumber(parts[1]) {
			n, _ := strconv.ParseInt(parts[1], 10, 64)
			text = strconv.FormatInt(n, 10)
		}
		if len(text) > 4096 {
			return "", false
		}
		_, rng := slowParams(parts[2])
		words = append(words, fmt.Sprintf("%q;%q", text, rng))
	}
	return fmt.Sprint(words), true
}

func slowIsNumber(bare string) bool { return slowIsNum.MatchString(bare) }

// slowParams returns the first parameter that is true, and the string r.
func slowParams(params string) (flag, rng string) {
	for params != "" {
		parts := slowParam.FindStringSubmatch(params)
		switch {
		case (parts[2] == "" || parts[2] == "?1") && flag == "":
			flag = parts[1]
		case parts[1] == "r" && strings.HasPrefix(parts[2], `"`):
			rng = slowUnquote(parts[2])
		}
		params = params[len(parts[0]):]
	}
	return flag, rng
}

func slowSingle(kind []string, bare string) (string, bool) {
	isToken := slowIsToken.MatchString(bare)
	switch kind[0] {
	case "I":
		n, err := strconv.ParseInt(bare, 10, 64)
		return strconv.FormatInt(n, 10), err == nil && slowInteger(bare, kind[1], kind[2])
	case "S":
		most, _ := strconv.Atoi(kind[1])
		text := slowUnquote(bare)
		return strconv.Quote(text), bare[0] == '"' && len(text) <= most
	case "T":
		known := len(kind) == 1 && len(bare) <= 64 || slices.Contains(kind[1:], bare)
		return bare, isToken && known
	case "B":
		return bare, bare == "?0" || bare == "?1"
	}
	rate, err := strconv.ParseFloat(bare, 64)
	return strconv.FormatFloat(rate+0, 'g', -1, 64), !isToken && err == nil && rate >= 0 && rate <= 100
}

func slowInteger(bare, least, most string) bool {
	n, err := strconv.ParseInt(bare, 10, 64)
	from, _ := strconv.ParseInt(least, 10, 64)
	to, _ := strconv.ParseInt(most, 10, 64)
	return err == nil && n >= from && n <= to
}

func slowUnquote(bare string) string {
	if bare[0] != '"' {
		return bare
	}
	return slowEscape.ReplaceAllString(bare[1:len(bare)-1], "$1")
}

// valuesOf returns a record in the words of slowDecode.
func valuesOf(r *telemetry.Record) map[string]string {
	values := map[string]string{}
	record := reflect.ValueOf(*r)
	for key := range strings.SplitSeq(r.Has.String(), ",") {
		if key == "" {
			continue
		}
		switch field := record.FieldByName(strings.ToUpper(key)).Interface().(type) {
		case telemetry.List:
			words := []string{}
			for _, it := range field {
				words = append(words, fmt.Sprintf("%d;%s", it.Value, it.Type))
			}
			values[key] = fmt.Sprint(words)
		case []telemetry.TextItem:
			words := []string{}
			for _, it := range field {
				words = append(words, fmt.Sprintf("%q;%q", it.Value, it.Range))
			}
			values[key] = fmt.Sprint(words)
		case string:
			values[key] = field
			if slowTypes[key][0] == "S" {
				values[key] = strconv.Quote(field)
			}
		case int64:
			values[key] = strconv.FormatInt(field, 10)
		case float64:
			values[key] = strconv.FormatFloat(field+0, 'g', -1, 64)
		case bool:
			values[key] = map[bool]string{true: "?1", false: "?0"}[field]
		}
	}
	for _, c := range r.Custom {
		values[c.Key] = "custom " + c.Value
	}
	return values
}
