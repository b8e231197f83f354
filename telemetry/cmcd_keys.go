package telemetry

import "strings"

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
