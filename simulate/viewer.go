package simulate

import (
	"math"
	"strconv"
)

// Device is the kind of screen.
type Device uint8

// The kinds.
const (
	Web Device = iota
	IOS
	Android
	TV
	devices
)

// String returns the kind as it stands in exposures and heartbeats.
func (d Device) String() string { return [...]string{"web", "ios", "android", "tv"}[d] }

// Viewer is who watches: all that stays the same from session to session.
type Viewer struct {
	Index         int
	ID            string
	DeviceID      string
	Device        Device
	OS            string
	Player        string
	PlayerVersion string
	Country       string
	ISP           string
	ASN           string
	OldTV         bool // firmware on which the rewritten app dies before it reports
	CMCD          bool // reports by CMCD event mode instead of heartbeats
	Bot           Bot  // not a person

	seed      uint64
	utcHours  int
	farAway   float64  // factor of set-up time: distance and devices of the region
	slowness  float64  // factor of set-up time of this viewer's device
	home      NetClass // at home
	mobile    NetClass // on the way; equals home for devices that stay
	awayShare float64  // of sessions on the way
	traceHome uint64
	traceAway uint64
}

// share is one value of a dimension with its weight.
type share struct {
	name   string
	weight float64
}

// weights returns the running sums of a list of shares.
func weights(list []share) []float64 {
	w := make([]float64, len(list))
	for i, s := range list {
		w[i] = s.weight
	}
	return cumulate(w...)
}

// country is where a viewer lives. Factors of set-up time by region and the
// mix of devices are those of reference surveys of live video; their levels
// are estimates.
type country struct {
	share
	utcHours int
	farAway  float64
	isps     []share
}

var countries = []country{
	{share{"US", 34}, -6, 1, []share{{"comcast", 5}, {"att", 3}, {"verizon", 2}}},
	{share{"DE", 10}, 1, 1, []share{{"telekom", 5}, {"vodafone", 3}, {"o2", 2}}},
	{share{"GB", 9}, 0, 1, []share{{"bt", 5}, {"sky", 3}, {"virgin", 2}}},
	{share{"FR", 8}, 1, 1, []share{{"orange", 5}, {"free", 3}, {"sfr", 2}}},
	{share{"BR", 10}, -3, 1.3, []share{{"vivo", 5}, {"claro", 5}}},
	{share{"ES", 7}, 1, 1, []share{{"movistar", 6}, {"masorange", 4}}},
	{share{"PL", 5}, 1, 1.3, []share{{"orange-pl", 5}, {"play", 5}}},
	{share{"KR", 8}, 9, 1, []share{{"kt", 6}, {"sk", 4}}},
	{share{"IN", 9}, 5, 1.8, []share{{"jio", 7}, {"airtel", 3}}},
}

// device is what a kind of screen brings along.
type device struct {
	share
	os          []share
	players     []share
	setupMedian float64 // s, of page, manifest and decoder in a near country
	fixedShare  float64 // of homes, by wire; the rest by Wi-Fi
	movers      float64 // share of viewers who mostly watch on the way
}

// The shares of devices: web 35, iOS 15, Android 30, TV 20 %; the levels of
// start time: desktop 0.9, mobile 1.4, TV 2.2 s, of which the first segment
// takes a part.
var deviceKinds = [devices]device{
	Web: {
		share{"web", 35},
		[]share{{"windows", 60}, {"macos", 30}, {"linux", 10}},
		[]share{{"hls.js", 50}, {"dash.js", 25}, {"shaka", 10}, {"ivs", 15}},
		0.65, 0.45, 0,
	},
	IOS: {
		share{"ios", 15},
		[]share{{"ios", 100}},
		[]share{{"avplayer", 70}, {"ivs", 30}},
		0.95, 0, 0.4,
	},
	Android: {
		share{"android", 30},
		[]share{{"android", 100}},
		[]share{{"media3", 65}, {"ivs", 35}},
		1.05, 0, 0.5,
	},
	TV: {
		share{"tv", 20},
		[]share{{"tizen", 35}, {"webos", 25}, {"androidtv", 30}, {"roku", 10}},
		[]share{{"shaka", 60}, {"ivs", 40}},
		1.75, 0.45, 0,
	},
}

// versions of each player, newest first.
var versions = map[string][]share{
	"hls.js":   {{"1.7.4", 60}, {"1.6.15", 30}, {"1.5.20", 10}},
	"dash.js":  {{"5.2.1", 65}, {"5.1.1", 25}, {"4.7.4", 10}},
	"shaka":    {{"5.2.12", 60}, {"5.1.3", 25}, {"4.16.9", 15}},
	"ivs":      {{"1.48.0", 70}, {"1.45.0", 30}},
	"avplayer": {{"19.1", 65}, {"18.7", 35}},
	"media3":   {{"1.9.2", 60}, {"1.8.0", 40}},
}

// Shares of viewers within their kind.
const (
	oldTVShare   = 0.18 // of TVs run firmware that the rewritten app cannot start on
	oldTVSlower  = 1.6  // of set-up time on them
	cmcdShare    = 0.03 // of hls.js viewers embed a page of a partner: reports by CMCD only
	threeGShare  = 0.5  // of mobile viewers have 3G where they go, the others LTE
	awayMostly   = 0.97 // of the sessions of viewers who mostly watch on the way
	awaySeldom   = 0.03 // of those of other phones
	slownessSd   = 0.35 // log-normal spread of set-up time between viewers
	isp100       = 100
	privateASN   = 64_512 // first number of the range that RFC 6996 keeps free
	asnPerNation = 10
)

// Viewer returns viewer i of the world.
func (w *World) Viewer(i int) Viewer {
	d := newDice(mix(w.seed, purposeViewer, uint64(i)))
	v := Viewer{Index: i, seed: d.Uint64()}
	v.ID = "v" + hex(v.seed, 12)
	v.DeviceID = "d" + hex(finalise(v.seed), 12)
	w.places(&v, d)
	w.equips(&v, d)
	v.slowness = d.logNormal(0, slownessSd)
	v.OldTV = d.chance(oldTVShare) && v.Device == TV
	if v.OldTV {
		v.slowness *= oldTVSlower
	}
	v.CMCD = w.on.CMCD.reports(d.chance(cmcdShare)) && v.Player == "hls.js"
	v.connects(d)
	if v.Bot = w.Bot(i); v.Bot != Person {
		v.OldTV, v.CMCD = false, false
	}
	return v
}

func (w *World) places(v *Viewer, d dice) {
	c := d.pick(w.tables.countries)
	isps := countries[c].isps
	isp := d.pick(w.tables.isps[c])
	v.Country, v.utcHours, v.farAway = countries[c].name, countries[c].utcHours, countries[c].farAway
	v.ISP = isps[isp].name
	v.ASN = strconv.Itoa(privateASN + c*asnPerNation + isp)
}

func (w *World) equips(v *Viewer, d dice) {
	v.Device = Device(d.pick(w.tables.devices))
	kind := &deviceKinds[v.Device]
	v.OS = kind.os[d.pick(w.tables.os[v.Device])].name
	v.Player = kind.players[d.pick(w.tables.players[v.Device])].name
	v.PlayerVersion = versions[v.Player][d.pick(w.tables.versions[v.Player])].name
}

func (v *Viewer) connects(d dice) {
	kind := &deviceKinds[v.Device]
	v.home = NetWifi
	if d.chance(kind.fixedShare) {
		v.home = NetFixed
	}
	v.mobile = NetLTE
	if d.chance(threeGShare) {
		v.mobile = Net3G
	}
	if kind.movers > 0 {
		v.awayShare = awaySeldom
	}
	if d.chance(kind.movers) {
		v.awayShare = awayMostly
	}
	v.traceHome, v.traceAway = d.Uint64(), d.Uint64()
}

// Attributes returns the dimensions that services know of the viewer when a
// session starts on net.
func (v *Viewer) Attributes(net NetClass) map[string]string {
	attributes := map[string]string{
		"country":        v.Country,
		"device_class":   v.Device.String(),
		"os":             v.OS,
		"player":         v.Player,
		"player_version": v.PlayerVersion,
		"net_class":      net.String(),
		"isp":            v.ISP,
	}
	if v.Bot == Monitor {
		attributes["user_agent"] = monitorAgent
	}
	return attributes
}

// intent draws how long a viewer would watch if nothing went wrong: the
// mixture of two log-normals fitted to 226,260 sessions of Puffer (NSDI 2020).
func (d dice) intent() float64 {
	mu, sigma := 4.19, 1.94
	if !d.chance(0.746) {
		mu, sigma = 8.17, 1.08
	}
	return math.Min(d.logNormal(mu, sigma), MaxWatchSec)
}

// Patience of viewers.
const (
	joinFree     = 2.0   // s that everybody waits
	joinHazard   = 0.058 // per second after that (Krishnan and Sitaraman, IMC 2012)
	hastyShare   = 0.085 // opened the wrong channel, or one too many
	hastyMeanSec = 2.5   // when they notice
	maxWaitSec   = 115.0 // nobody waits longer
	stallMeanSec = 60.0  // of stall in total until a viewer leaves
	maxStallSec  = 600.0 // nobody bears more
)

// patience draws how long a viewer waits for the first frame.
func (d dice) patience() float64 {
	wait := math.Min(joinFree+d.ExpFloat64()/joinHazard, maxWaitSec)
	hasty := d.ExpFloat64() * hastyMeanSec
	if d.chance(hastyShare) {
		return math.Min(wait, hasty)
	}
	return wait
}

// hex returns the highest n hexadecimal digits of x.
func hex(x uint64, n int) string {
	const digits = "0123456789abcdef"
	b := make([]byte, n)
	for i := range b {
		b[i] = digits[x>>60]
		x <<= 4
	}
	return string(b)
}
