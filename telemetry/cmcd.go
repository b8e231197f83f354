package telemetry

import (
	"net/url"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// Mode is how a CMCD record was sent; it is numbered apart in each mode.
type Mode uint8

// The modes.
const (
	ModeEvent   Mode = iota + 1 // reported to a collector
	ModeRequest                 // beside a request for media
)

// Item is one value of a CMCD list: a number with the object type that it is
// about (a audio, v video, av both, ...; empty when none is said).
type Item struct {
	Value int64
	Type  string
}

// List is a CMCD list of numbers.
type List []Item

// TextItem is one text of a CMCD list. Range is the parameter r of nor.
type TextItem struct {
	Value string
	Range string
}

// Custom is one hyphenated key of an application; Value is a string or token.
type Custom struct{ Key, Value string }

// Record is one CMCD record. Fields carry the names of the keys; Has tells
// which were present and valid.
type Record struct {
	Mode          Mode
	Index         int    // of the record within its body, from 0
	Raw           string // the record as received, decoded from its transmission: DecodeCMCD reads it again
	RecvMs        int64  // set by the receiver: when the server had it
	Player        string // set by the receiver, as no key of CMCD tells it; so is its version
	PlayerVersion string
	Has           Keys

	SID, CID   string
	SN, TS     int64
	V          int64
	E, STA     string
	OT, SF, ST string

	AB, LAB, TAB, BL, BR, BSA, BSDA, BSD, LB, MTP, PB, TB, TBL, TPB List

	D, DFA, DL, LTC, MSD, PT, RC, RTP, TTFB, TTFBB, TTLB int64
	PR                                                   float64
	BG, BS, NR, SU                                       bool

	CDN, CEN, CMSDD, CMSDS, CS, H, NRR, SMRT, URL string

	EC, NOR []TextItem
	Custom  []Custom
}

// Limits of CMCD.
const (
	CMCDVersion        = 2         // highest version understood
	MaxCMCDRecordBytes = 16 * 1024 // real ones have 100 to 600 bytes
	maxFaults          = 16        // values dropped, after which the whole record goes
	leastRecordBytes   = 12        // sid="s",sn=1
)

// DecodeCMCD reads a body of event reports (application/cmcd, or text/cmcd of
// the first edition): one record a line. Values that are not right are dropped
// singly and returned as Rejections with the key as Field; unknown keys are
// ignored. A record is refused whole when its version is above CMCDVersion,
// when it has no sid or sn and so could not be told from its repetitions, or
// when it is no dictionary at all.
//
// The error is an *experiment.Error of CodeTooLarge and means that no record
// was read. The strings of the records share one copy of the body.
func DecodeCMCD(body []byte) ([]Record, []Rejection, error) {
	if len(body) > MaxBodyBytes {
		return nil, nil, experiment.Errorf(experiment.CodeTooLarge, "", "a body has at most %d bytes", MaxBodyBytes)
	}
	var d cmcdDecoder
	rest, more := string(body), true
	records := make([]Record, 0, min(strings.Count(rest, "\n")+1, len(rest)/leastRecordBytes))
	for more {
		var line string
		line, rest, more = strings.Cut(rest, "\n")
		line = strings.Trim(line, " \t\r")
		if line == "" {
			continue
		}
		if d.index == MaxBatch {
			return nil, nil, experiment.Errorf(experiment.CodeTooLarge, "", "a body has at most %d records", MaxBatch)
		}
		records = append(records, Record{})
		if !d.record(&records[len(records)-1], line, ModeEvent) {
			records = records[:len(records)-1]
		}
		d.index++
	}
	return records, d.rejected, nil
}

// DecodeRecord reads one record from its text, as kept in Record.Raw. ok is
// false when it is refused whole.
func DecodeRecord(raw string, mode Mode) (r Record, rejected []Rejection, ok bool) {
	var d cmcdDecoder
	ok = d.record(&r, strings.Trim(raw, " \t\r\n"), mode)
	return r, d.rejected, ok
}

// DecodeCMCDQuery reads the record in the query of a media request: the
// parameter CMCD, still percent-encoded. ok is false when there is none, or it
// is refused whole.
func DecodeCMCDQuery(rawQuery string) (r Record, rejected []Rejection, ok bool) {
	raw, found, err := cmcdInQuery(rawQuery)
	switch {
	case err != nil:
		return r, []Rejection{{Reason: ReasonMalformed, Message: "not percent-encoded", Whole: true}}, false
	case !found:
		return r, nil, false
	}
	return DecodeRecord(raw, ModeRequest)
}

// cmcdInQuery returns the text of the parameter CMCD.
func cmcdInQuery(rawQuery string) (raw string, found bool, err error) {
	for parameter := range strings.SplitSeq(rawQuery, "&") {
		if encoded, found := strings.CutPrefix(parameter, "CMCD="); found {
			raw, err = url.QueryUnescape(encoded)
			return raw, true, err
		}
	}
	return "", false, nil
}

// cmcdHeaders are the names of the four shards.
var cmcdHeaders = [...]string{"CMCD-Request", "CMCD-Object", "CMCD-Status", "CMCD-Session"}

// DecodeCMCDHeaders reads the record in the four headers of a media request;
// get is the Get of an http.Header. ok is false when there is none, or it is
// refused whole.
func DecodeCMCDHeaders(get func(name string) string) (r Record, rejected []Rejection, ok bool) {
	var shards []string
	for _, name := range cmcdHeaders {
		if shard := get(name); shard != "" {
			shards = append(shards, shard)
		}
	}
	if len(shards) == 0 {
		return r, nil, false
	}
	return DecodeRecord(strings.Join(shards, ","), ModeRequest)
}

// DecodeCMCDRequest reads the record of a media request from its headers, or,
// when they hold none, from its query: never from both.
func DecodeCMCDRequest(rawQuery string, get func(name string) string) (r Record, rejected []Rejection, ok bool) {
	r, rejected, ok = DecodeCMCDHeaders(get)
	if ok || len(rejected) > 0 {
		return r, rejected, ok
	}
	return DecodeCMCDQuery(rawQuery)
}

// cmcdDecoder holds one body while it is read.
type cmcdDecoder struct {
	dict     dictionary
	index    int // of the record at hand
	items    []Item
	rejected []Rejection
}

// record reads one record into r; false means that it is refused.
func (d *cmcdDecoder) record(r *Record, raw string, mode Mode) bool {
	r.Mode, r.Raw, r.Index = mode, raw, d.index
	first := len(d.rejected)
	if len(raw) > MaxCMCDRecordBytes {
		return d.refuse(r, first, "", ReasonTooMany, "the record is too long")
	}
	d.dict.text, d.dict.at = raw, 0
	for {
		m, ok, more := d.dict.next()
		if !more {
			break
		}
		reason := ReasonMalformed
		if ok {
			reason = d.assign(r, m)
		}
		if reason == "" {
			continue
		}
		if len(d.rejected)-first == maxFaults {
			return d.refuse(r, first, "", ReasonMalformed, "too many values are not right")
		}
		d.rejected = append(d.rejected, Rejection{
			Index: d.index, Field: m.key, Reason: reason, Message: "the value is dropped",
		})
	}
	return d.identify(r, first)
}

// identify refuses a record that cannot be told from others.
func (d *cmcdDecoder) identify(r *Record, first int) bool {
	switch {
	case r.V > CMCDVersion:
		return d.refuse(r, first, "v", ReasonVersion, "the version is above what is understood")
	case r.Has == 0:
		return d.refuse(r, first, "", ReasonMalformed, "not a CMCD record")
	case r.Mode == ModeEvent && r.SID == "":
		return d.refuse(r, first, "sid", ReasonMissing, "is required")
	case r.Mode == ModeEvent && !r.Has.Has(KeySN):
		return d.refuse(r, first, "sn", ReasonMissing, "is required")
	}
	for i := range d.rejected[first:] {
		d.rejected[first+i].SessionID = r.SID
	}
	return true
}

// refuse replaces the rejections of single values by one of the record.
func (d *cmcdDecoder) refuse(r *Record, first int, field string, reason Reason, message string) bool {
	d.rejected = append(d.rejected[:first], Rejection{
		Index: d.index, Field: field, Reason: reason, Message: message, Whole: true, SessionID: r.SID,
	})
	return false
}
