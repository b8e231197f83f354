package telemetry

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
	Mode   Mode
	Raw    string // the record as received, decoded from its transmission: DecodeCMCD reads it again
	RecvMs int64  // set by the receiver: when the server had it
	Has    Keys

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
