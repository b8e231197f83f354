package telemetry

import (
	"slices"
	"strings"
)

// Keys is a set of CMCD keys.
type Keys uint64

// The keys of CMCD v2 (CTA-5004-B), and nrr of v1.
const (
	KeyAB Keys = 1 << iota
	KeyBG
	KeyBL
	KeyBR
	KeyBS
	KeyBSA
	KeyBSD
	KeyBSDA
	KeyCDN
	KeyCEN
	KeyCID
	KeyCMSDD
	KeyCMSDS
	KeyCS
	KeyD
	KeyDFA
	KeyDL
	KeyE
	KeyEC
	KeyH
	KeyLAB
	KeyLB
	KeyLTC
	KeyMSD
	KeyMTP
	KeyNOR
	KeyNR
	KeyNRR
	KeyOT
	KeyPB
	KeyPR
	KeyPT
	KeyRC
	KeyRTP
	KeySF
	KeySID
	KeySMRT
	KeySN
	KeyST
	KeySTA
	KeySU
	KeyTAB
	KeyTB
	KeyTBL
	KeyTPB
	KeyTS
	KeyTTFB
	KeyTTFBB
	KeyTTLB
	KeyURL
	KeyV
)

// keyNames are the keys in the order of their bits, which is alphabetical.
var keyNames = strings.Fields(`
	ab bg bl br bs bsa bsd bsda cdn cen cid cmsdd cmsds cs d dfa dl e ec h
	lab lb ltc msd mtp nor nr nrr ot pb pr pt rc rtp sf sid smrt sn st sta su
	tab tb tbl tpb ts ttfb ttfbb ttlb url v`)

// Has reports whether every key of q is in the set.
func (k Keys) Has(q Keys) bool { return k&q == q }

// String lists the keys, separated by commas.
func (k Keys) String() string {
	var names []string
	for i, name := range keyNames {
		if k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// Limits of CMCD values. A value beyond them cannot be true: dash.js 5.2.1
// sends epoch times as ttfb and a start delay of a few ms before anything
// plays.
const (
	maxDurationMs   = 24 * 3_600_000 // of a media object, a buffer, a deadline
	maxTransferMs   = 600_000        // of one response: its timeout is far below
	maxThroughput   = 100_000_000    // kbit/s: 100 Gbit/s
	maxPlaybackRate = 100            // no player offers more
	minReportedMsd  = 100            // below, the player cannot have waited for a frame
	maxTs           = 1<<47 - 1      // Unix ms, year 6429
	maxStatusCode   = 999            // of HTTP
	maxURLBytes     = 4096
	maxNameBytes    = 128 // sid and cid of v2 are shorter or equal
	maxShortBytes   = 64
)

// listKey returns where the numbers of a key belong, nil for other keys, and
// the greatest plausible number.
func (r *Record) listKey(key string) (into *List, bit Keys, most int64) {
	switch key {
	case "ab":
		return &r.AB, KeyAB, MaxKbps
	case "lab":
		return &r.LAB, KeyLAB, MaxKbps
	case "tab":
		return &r.TAB, KeyTAB, MaxKbps
	case "bl":
		return &r.BL, KeyBL, maxDurationMs
	case "br":
		return &r.BR, KeyBR, MaxKbps
	case "bsa":
		return &r.BSA, KeyBSA, maxDurationMs
	case "bsd":
		return &r.BSD, KeyBSD, maxDurationMs
	case "bsda":
		return &r.BSDA, KeyBSDA, maxDurationMs
	case "lb":
		return &r.LB, KeyLB, MaxKbps
	case "mtp":
		return &r.MTP, KeyMTP, maxThroughput
	case "pb":
		return &r.PB, KeyPB, MaxKbps
	case "tb":
		return &r.TB, KeyTB, MaxKbps
	case "tbl":
		return &r.TBL, KeyTBL, maxDurationMs
	case "tpb":
		return &r.TPB, KeyTPB, MaxKbps
	}
	return nil, 0, 0
}

// integerKey returns where the number of a key belongs, nil for other keys,
// and the plausible range.
func (r *Record) integerKey(key string) (into *int64, bit Keys, least, most int64) {
	switch key {
	case "d":
		return &r.D, KeyD, 0, maxDurationMs
	case "dfa":
		return &r.DFA, KeyDFA, 0, MaxCount
	case "dl":
		return &r.DL, KeyDL, 0, maxDurationMs
	case "ltc":
		return &r.LTC, KeyLTC, 0, MaxLatencyMs
	case "msd":
		return &r.MSD, KeyMSD, minReportedMsd, MaxStartMs
	case "pt":
		return &r.PT, KeyPT, 0, MaxCount
	case "rc":
		return &r.RC, KeyRC, 0, maxStatusCode
	case "rtp":
		return &r.RTP, KeyRTP, 0, maxThroughput
	case "sn":
		return &r.SN, KeySN, 0, MaxCount
	case "ts":
		return &r.TS, KeyTS, 0, maxTs
	case "ttfb":
		return &r.TTFB, KeyTTFB, 0, maxTransferMs
	case "ttfbb":
		return &r.TTFBB, KeyTTFBB, 0, maxTransferMs
	case "ttlb":
		return &r.TTLB, KeyTTLB, 0, maxTransferMs
	case "v":
		return &r.V, KeyV, 1, MaxCount
	}
	return nil, 0, 0, 0
}

// stringKey returns where the string of a key belongs, nil for other keys, and
// the greatest length.
func (r *Record) stringKey(key string) (into *string, bit Keys, most int) {
	switch key {
	case "cdn":
		return &r.CDN, KeyCDN, maxNameBytes
	case "cen":
		return &r.CEN, KeyCEN, maxShortBytes
	case "cid":
		return &r.CID, KeyCID, maxNameBytes
	case "cmsdd":
		return &r.CMSDD, KeyCMSDD, maxURLBytes
	case "cmsds":
		return &r.CMSDS, KeyCMSDS, maxURLBytes
	case "cs":
		return &r.CS, KeyCS, maxURLBytes
	case "h":
		return &r.H, KeyH, maxNameBytes
	case "nrr":
		return &r.NRR, KeyNRR, maxShortBytes
	case "sid":
		return &r.SID, KeySID, maxShortBytes
	case "smrt":
		return &r.SMRT, KeySMRT, maxURLBytes
	case "url":
		return &r.URL, KeyURL, maxURLBytes
	}
	return nil, 0, 0
}

// tokenKey returns where the token of a key belongs, nil for other keys, and
// the tokens of the standard. Any event name is taken: an event we do not know
// is still a record of the session.
func (r *Record) tokenKey(key string) (into *string, bit Keys, known []string) {
	switch key {
	case "e":
		return &r.E, KeyE, nil
	case "ot":
		return &r.OT, KeyOT, objectTypes
	case "sf":
		return &r.SF, KeySF, streamingFormats
	case "st":
		return &r.ST, KeyST, streamTypes
	case "sta":
		return &r.STA, KeySTA, states
	}
	return nil, 0, nil
}

var (
	objectTypes      = strings.Fields("m a v av i c tt k o")
	streamingFormats = strings.Fields("d h e s o")
	streamTypes      = strings.Fields("v l ll")
	states           = strings.Fields("s p k r a w e f q d")
)

// boolKey returns where the boolean of a key belongs, nil for other keys.
func (r *Record) boolKey(key string) (into *bool, bit Keys) {
	switch key {
	case "bg":
		return &r.BG, KeyBG
	case "bs":
		return &r.BS, KeyBS
	case "nr":
		return &r.NR, KeyNR
	case "su":
		return &r.SU, KeySU
	}
	return nil, 0
}

// assign puts the value of a key into its field. A value that is not right is
// not taken, and the reason returned; a key that is not known is ignored.
func (d *cmcdDecoder) assign(r *Record, m sfMember) Reason {
	if into, bit, most := r.listKey(m.key); into != nil {
		return d.setList(r, into, bit, most, m.items)
	}
	if m.key == "ec" || m.key == "nor" {
		return d.setTexts(r, m)
	}
	if m.list {
		if slices.Contains(keyNames, m.key) {
			return ReasonType
		}
		return ""
	}
	it := m.items[0]
	if into, bit, least, most := r.integerKey(m.key); into != nil {
		return r.setInteger(into, bit, it, least, most)
	}
	if into, bit, most := r.stringKey(m.key); into != nil {
		return r.setString(into, bit, it, most)
	}
	if into, bit, known := r.tokenKey(m.key); into != nil {
		return r.setToken(into, bit, it, known)
	}
	if into, bit := r.boolKey(m.key); into != nil {
		if it.kind != sfBoolean {
			return ReasonType
		}
		*into = it.boolean
		r.Has |= bit
		return ""
	}
	if m.key == "pr" {
		return r.setRate(it)
	}
	return r.setCustom(m.key, it)
}
