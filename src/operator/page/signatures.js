/*! Made by `npm run page` from @noble/curves 2.4.0 and @noble/hashes 2.4.0, MIT License, (c) Paul Miller */
// @ts-nocheck
// node_modules/@noble/hashes/_u64.js
var e = (e) => e / 2 ** 32 | 0, t = (e) => e >>> 0;
function n(n, r, i, a) {
	let o = e(i), s = t(i);
	n.setUint32(r, a ? s : o, a), n.setUint32(r + 4, a ? o : s, a);
}
// node_modules/@noble/hashes/utils.js
function r(e) {
	return e instanceof Uint8Array || ArrayBuffer.isView(e) && e.constructor.name === "Uint8Array" && "BYTES_PER_ELEMENT" in e && e.BYTES_PER_ELEMENT === 1;
}
var i = (e) => e ? `"${e}" ` : "";
function a(e, t = "") {
	if (typeof e != "number") throw TypeError(i(t) + "expected number, got " + typeof e);
	if (!Number.isSafeInteger(e) || e < 0) throw RangeError(i(t) + "expected integer >= 0, got " + e);
	return e;
}
function o(e, t, n = "") {
	if (r(e) && (t === void 0 || e.length === t)) return e;
	t !== void 0 && a(t, "length");
	let o = r(e), s = t === void 0 ? "" : ` of length ${t}`, c = o ? `length=${e.length}` : `type=${typeof e}`, l = i(n) + "expected Uint8Array" + s + ", got " + c;
	throw o ? RangeError(l) : TypeError(l);
}
var s = (e, t) => {
	if (typeof e != "object" || !e || Array.isArray(e)) throw TypeError((t === "object" ? "" : `"${t}" `) + "expected object, got type=" + typeof e);
}, c = (e, t) => {
	s(e, t);
	let n = Object.getPrototypeOf(e);
	if (n !== Object.prototype && n !== null) throw TypeError(`"${t}" expected plain object`);
	if (Object.hasOwn(e, "__proto__")) throw TypeError(`"${t}.__proto__" is not allowed`);
};
function l(e, t = !0) {
	if (e.destroyed) throw Error("hash was destroyed");
	if (t && e.finished) throw Error("digest() was already called");
}
function u(e, t) {
	o(e, void 0, "output");
	let n = t.outputLen;
	if (!(e.length >= n)) throw RangeError("\"output\" expected length >= " + n);
}
function d(...e) {
	for (let t = 0; t < e.length; t++) e[t].fill(0);
}
function f(e) {
	return new DataView(e.buffer, e.byteOffset, e.byteLength);
}
function p(e, t) {
	return e << 32 - t | e >>> t;
}
var m = typeof Uint8Array.from([]).toHex == "function" && typeof Uint8Array.fromHex == "function", h = /* @__PURE__ */ Array.from({ length: 256 }, (e, t) => t.toString(16).padStart(2, "0"));
function g(e) {
	if (o(e), m) return e.toHex();
	let t = "";
	for (let n = 0; n < e.length; n++) t += h[e[n]];
	return t;
}
function _(e) {
	return e >= 48 && e <= 57 ? e - 48 : e >= 65 && e <= 70 ? e - 55 : e >= 97 && e <= 102 ? e - 87 : void 0;
}
function ee(e) {
	if (typeof e != "string") throw TypeError("hex string expected, got " + typeof e);
	if (m) try {
		return Uint8Array.fromHex(e);
	} catch (e) {
		throw e instanceof SyntaxError ? RangeError(e.message) : e;
	}
	let t = e.length, n = t / 2;
	if (t % 2) throw RangeError("hex string expected, got unpadded hex of length " + t);
	let r = new Uint8Array(n);
	for (let t = 0, i = 0; t < n; t++, i += 2) {
		let n = _(e.charCodeAt(i)), a = _(e.charCodeAt(i + 1));
		if (n === void 0 || a === void 0) {
			let t = e[i] + e[i + 1];
			throw RangeError("hex string expected, got non-hex character \"" + t + "\" at index " + i);
		}
		r[t] = n * 16 + a;
	}
	return r;
}
function te(...e) {
	let t = 0;
	for (let n = 0; n < e.length; n++) {
		let r = e[n];
		o(r), t += r.length;
	}
	let n = new Uint8Array(t);
	for (let t = 0, r = 0; t < e.length; t++) {
		let i = e[t];
		n.set(i, r), r += i.length;
	}
	return n;
}
function ne(e, t, n = "opts") {
	return c(e, "defaults"), t !== void 0 && c(t, n), Object.assign(Object.create(null), e, t);
}
function re(e, t = {}) {
	if (typeof e != "function") throw TypeError("\"hashCons\" expected function, got type=" + typeof e);
	t = ne({}, t, "info");
	let n = (t, n) => e(n).update(t).digest(), r = e(void 0);
	return n.outputLen = r.outputLen, n.blockLen = r.blockLen, n.canXOF = r.canXOF, n.create = (t) => e(t), Object.assign(n, t), Object.freeze(n);
}
function v(e = 32) {
	a(e, "bytesLength");
	let t = typeof globalThis == "object" ? globalThis.crypto : null;
	if (typeof t?.getRandomValues != "function") throw Error("crypto.getRandomValues must be defined");
	if (e > 65536) throw RangeError(`"bytesLength" expected <= 65536, got ${e}`);
	return t.getRandomValues(new Uint8Array(e));
}
var y = (e) => ({ oid: Uint8Array.from([
	6,
	9,
	96,
	134,
	72,
	1,
	101,
	3,
	4,
	2,
	e
]) });
// node_modules/@noble/hashes/_md.js
function ie(e, t, n) {
	return e & t ^ ~e & n;
}
function b(e, t, n) {
	return e & t ^ e & n ^ t & n;
}
var ae = class {
	blockLen;
	outputLen;
	canXOF = !1;
	padOffset;
	isLE;
	buffer;
	view;
	finished = !1;
	length = 0;
	pos = 0;
	destroyed = !1;
	constructor(e, t, n, r) {
		this.blockLen = e, this.outputLen = t, this.padOffset = n, this.isLE = r, this.buffer = new Uint8Array(e), this.view = f(this.buffer);
	}
	update(e) {
		l(this), o(e);
		let { view: t, buffer: n, blockLen: r } = this, i = e.length, a = !1;
		for (let o = 0; o < i;) {
			let s = Math.min(r - this.pos, i - o);
			if (s === r) {
				let t = f(e);
				for (; r <= i - o; o += r) this.process(t, o);
				a = !0;
			} else n.set(o === 0 && s === i ? e : e.subarray(o, o + s), this.pos), this.pos += s, o += s, this.pos === r && (this.process(t, 0), this.pos = 0, a = !0);
		}
		return this.length += e.length, a && this.roundClean(), this;
	}
	digestInto(e) {
		l(this), u(e, this), this.finished = !0;
		let { buffer: t, view: r, blockLen: i, isLE: a } = this, { pos: o } = this;
		t[o++] = 128, t.fill(0, o), this.padOffset > i - o && (this.process(r, 0), t.fill(0)), n(r, i - 8, this.length * 8, a), this.process(r, 0), this.roundClean();
		let s = e === t ? r : f(e), c = this.outputLen, d = c / 4, p = this.get();
		if (c % 4 || d > p.length) throw Error("invalid outputLen");
		for (let e = 0; e < d; e++) s.setUint32(4 * e, p[e], a);
	}
	digest() {
		let { buffer: e, outputLen: t } = this;
		this.digestInto(e);
		let n = e.slice(0, t);
		return this.destroy(), n;
	}
	_cloneIntoMeta(e) {
		let { buffer: t, length: n, finished: r, destroyed: i, pos: a } = this;
		return e.destroyed = i, e.finished = r, e.length = n, e.pos = a, a && e.buffer.set(t), e;
	}
	clone() {
		return this._cloneInto();
	}
}, oe = /* @__PURE__ */ Uint32Array.from([
	1779033703,
	3144134277,
	1013904242,
	2773480762,
	1359893119,
	2600822924,
	528734635,
	1541459225
]), x = /* @__PURE__ */ Uint32Array.from([
	1116352408,
	1899447441,
	3049323471,
	3921009573,
	961987163,
	1508970993,
	2453635748,
	2870763221,
	3624381080,
	310598401,
	607225278,
	1426881987,
	1925078388,
	2162078206,
	2614888103,
	3248222580,
	3835390401,
	4022224774,
	264347078,
	604807628,
	770255983,
	1249150122,
	1555081692,
	1996064986,
	2554220882,
	2821834349,
	2952996808,
	3210313671,
	3336571891,
	3584528711,
	113926993,
	338241895,
	666307205,
	773529912,
	1294757372,
	1396182291,
	1695183700,
	1986661051,
	2177026350,
	2456956037,
	2730485921,
	2820302411,
	3259730800,
	3345764771,
	3516065817,
	3600352804,
	4094571909,
	275423344,
	430227734,
	506948616,
	659060556,
	883997877,
	958139571,
	1322822218,
	1537002063,
	1747873779,
	1955562222,
	2024104815,
	2227730452,
	2361852424,
	2428436474,
	2756734187,
	3204031479,
	3329325298
]), S = /* @__PURE__ */ new Uint32Array(64), se = class extends ae {
	A = 0;
	B = 0;
	C = 0;
	D = 0;
	E = 0;
	F = 0;
	G = 0;
	H = 0;
	constructor(e, t) {
		super(64, e, 8, !1), this.A = t[0] | 0, this.B = t[1] | 0, this.C = t[2] | 0, this.D = t[3] | 0, this.E = t[4] | 0, this.F = t[5] | 0, this.G = t[6] | 0, this.H = t[7] | 0;
	}
	get() {
		let { A: e, B: t, C: n, D: r, E: i, F: a, G: o, H: s } = this;
		return [
			e,
			t,
			n,
			r,
			i,
			a,
			o,
			s
		];
	}
	set(e, t, n, r, i, a, o, s) {
		this.A = e | 0, this.B = t | 0, this.C = n | 0, this.D = r | 0, this.E = i | 0, this.F = a | 0, this.G = o | 0, this.H = s | 0;
	}
	_cloneInto(e) {
		return (e ||= new this.constructor()).set(...this.get()), this._cloneIntoMeta(e);
	}
	process(e, t) {
		for (let n = 0; n < 16; n++, t += 4) S[n] = e.getUint32(t, !1);
		for (let e = 16; e < 64; e++) {
			let t = S[e - 15], n = S[e - 2], r = p(t, 7) ^ p(t, 18) ^ t >>> 3, i = p(n, 17) ^ p(n, 19) ^ n >>> 10;
			S[e] = i + S[e - 7] + r + S[e - 16] | 0;
		}
		let { A: n, B: r, C: i, D: a, E: o, F: s, G: c, H: l } = this;
		for (let e = 0; e < 64; e++) {
			let t = p(o, 6) ^ p(o, 11) ^ p(o, 25), u = l + t + ie(o, s, c) + x[e] + S[e] | 0, d = (p(n, 2) ^ p(n, 13) ^ p(n, 22)) + b(n, r, i) | 0;
			l = c, c = s, s = o, o = a + u | 0, a = i, i = r, r = n, n = u + d | 0;
		}
		n = n + this.A | 0, r = r + this.B | 0, i = i + this.C | 0, a = a + this.D | 0, o = o + this.E | 0, s = s + this.F | 0, c = c + this.G | 0, l = l + this.H | 0, this.set(n, r, i, a, o, s, c, l);
	}
	roundClean() {
		d(S);
	}
	destroy() {
		this.destroyed = !0, this.set(0, 0, 0, 0, 0, 0, 0, 0), d(this.buffer);
	}
}, C = class extends se {
	constructor() {
		super(32, oe);
	}
}, w = /* @__PURE__ */ re(() => new C(), /* @__PURE__ */ y(1));
// node_modules/@noble/curves/utils.js
function T(e, t, n = () => {}) {
	if (!Array.isArray(e)) throw TypeError(`"${t}" expected array, got type=${typeof e}`);
	for (let r = 0; r < e.length; r++) n(e[r], `${t}[${r}]`);
	return e;
}
var E = (e, t, n) => o(e, t, n), D = a;
function O(e, t = "object") {
	if (typeof e != "object" || !e || Array.isArray(e)) throw TypeError(t === "object" ? "expected valid options object" : `"${t}" expected object, got type=${typeof e}`);
	return e;
}
function k(e, t) {
	if (typeof e != "function") throw TypeError(`"${t}" is invalid: expected function, got ${typeof e}`);
	return e;
}
var ce = g, A = (...e) => te(...e), le = (e) => ee(e), ue = r, de = (e) => v(e), j = /* @__PURE__ */ BigInt(0), fe = /* @__PURE__ */ BigInt(1), pe = (e) => e ? `"${e}" ` : "";
function M(e, t = "") {
	if (typeof e != "boolean") throw TypeError(pe(t) + "expected boolean, got type=" + typeof e);
	return e;
}
function me(e) {
	if (typeof e == "bigint") {
		if (!I(e)) throw RangeError("positive bigint expected, got " + e);
	} else D(e);
	return e;
}
function N(e, t = "") {
	if (typeof e != "number") {
		let n = t && `"${t}" `;
		throw TypeError(n + "expected number, got type=" + typeof e);
	}
	if (!Number.isSafeInteger(e)) {
		let n = t && `"${t}" `;
		throw RangeError(n + "expected safe integer, got " + e);
	}
}
function he(e) {
	if (typeof e != "string") throw TypeError("hex string expected, got " + typeof e);
	return e === "" ? j : BigInt("0x" + e);
}
function P(e) {
	return he(g(e));
}
function ge(e) {
	return he(g(ve(o(e)).reverse()));
}
function F(e, t) {
	if (a(t), t === 0) throw Error("zero output length is invalid");
	e = me(e);
	let n = t * 2, r = e.toString(16);
	if (r.length > n) throw RangeError("number is too large");
	return ee(r.padStart(n, "0"));
}
function _e(e, t) {
	return F(e, t).reverse();
}
function ve(e) {
	return Uint8Array.from(E(e));
}
function ye(e) {
	if (typeof e != "string") throw TypeError("ascii string expected, got " + typeof e);
	return Uint8Array.from(e, (t, n) => {
		let r = t.charCodeAt(0);
		if (t.length !== 1 || r > 127) throw RangeError(`string contains non-ASCII character "${e[n]}" with code ${r} at position ${n}`);
		return r;
	});
}
function I(e) {
	return typeof e == "bigint" && j <= e;
}
function be(e, t, n) {
	return I(e) && I(t) && I(n) && t <= e && e < n;
}
function xe(e, t, n, r) {
	if (!be(t, n, r)) throw RangeError("expected valid " + e + ": " + n + " <= n < " + r + ", got " + t);
}
function L(e) {
	if (e < j) throw Error("expected non-negative bigint, got " + e);
	return e === j ? 0 : e.toString(2).length;
}
var Se = (e) => (N(e, "n"), (fe << BigInt(e)) - fe);
function Ce(e, t = {}, n = {}, r = "object") {
	O(e, r), O(t, "fields"), O(n, "optFields");
	function i(t, n, i) {
		let a = r === "object" ? `param "${String(t)}"` : `"${r}.${String(t)}"`, o = e[t];
		if (!Object.hasOwn(e, t) && (i ? o !== void 0 : n !== "function")) throw TypeError(`${a} is invalid: expected own property`);
		if (i && o === void 0) return;
		let s = typeof o;
		if (s !== n || o === null) throw TypeError(`${a} is invalid: expected ${n}, got ${s}`);
	}
	let a = (e, t) => Object.entries(e).forEach(([e, n]) => i(e, n, t));
	a(t, !1), a(n, !0);
}
// node_modules/@noble/curves/abstract/modular.js
var R = /* @__PURE__ */ BigInt(0), z = /* @__PURE__ */ BigInt(1), B = /* @__PURE__ */ BigInt(2), we = /* @__PURE__ */ BigInt(3), Te = /* @__PURE__ */ BigInt(4), Ee = /* @__PURE__ */ BigInt(5), De = /* @__PURE__ */ BigInt(7), Oe = /* @__PURE__ */ BigInt(8), ke = /* @__PURE__ */ BigInt(9), Ae = /* @__PURE__ */ BigInt(15), je = /* @__PURE__ */ BigInt(16), Me = /* @__PURE__ */ BigInt("0x10000000000000000");
function V(e, t) {
	if (t <= R) throw Error("mod: expected positive modulus, got " + t);
	let n = e % t;
	return n >= R ? n : t + n;
}
function Ne(e, t, n) {
	if (n <= z) throw Error("pow: expected modulus > 1, got " + n);
	if (typeof t != "bigint") throw TypeError("invalid exponent: expected bigint, got " + typeof t);
	if (t < R) throw Error("invalid exponent, negatives unsupported");
	if (t === R) return z;
	if (t === z) return e;
	let r = e % n;
	if (r < R && (r += n), t < Me) {
		let e = z;
		for (; t > R;) t & z && (e = e * r % n), r = r * r % n, t >>= z;
		return e;
	}
	let i = [];
	for (; t > R;) i.push(Number(t & Ae)), t >>= Te;
	let a = Array(16);
	a[0] = z, a[1] = r;
	for (let e = 2; e < 16; e++) a[e] = a[e - 1] * r % n;
	let o = a[i[i.length - 1]];
	for (let e = i.length - 2; e >= 0; e--) {
		o = o * o % n, o = o * o % n, o = o * o % n, o = o * o % n;
		let t = i[e];
		t !== 0 && (o = o * a[t] % n);
	}
	return o;
}
function H(e, t, n) {
	if (n <= z) throw Error("pow2: expected modulus > 1, got " + n);
	if (t < R) throw Error("pow2: expected non-negative exponent, got " + t);
	let r = e;
	for (; t-- > R;) r *= r, r %= n;
	return r;
}
function Pe(e, t) {
	if (e === R) throw Error("invert: expected non-zero number");
	if (t <= z) throw Error("invert: expected modulus > 1, got " + t);
	let n = V(e, t), r = t, i = R, a = z;
	for (; n !== R;) {
		let e = r / n, t = r - n * e, o = i - a * e;
		r = n, n = t, i = a, a = o;
	}
	if (r !== z) throw Error("invert: does not exist");
	return V(i, t);
}
function Fe(e, t, n) {
	let r = e;
	if (!r.eql(r.sqr(t), n)) throw Error("Cannot find square root");
}
function Ie(e, t) {
	if ((e & z) === R) throw Error(t + ": expected odd modulus, got " + e);
}
function Le(e, t) {
	let n = e, r = (n.ORDER + z) / Te, i = n.pow(t, r);
	return Fe(n, i, t), i;
}
function Re(e, t) {
	let n = e, r = (n.ORDER - Ee) / Oe, i = n.mul(t, B), a = n.pow(i, r), o = n.mul(t, a), s = n.mul(n.mul(o, B), a), c = n.mul(o, n.sub(s, n.ONE));
	return Fe(n, c, t), c;
}
function ze(e) {
	let t = W(e), n = Be(e), r = n(t, t.neg(t.ONE)), i = n(t, r), a = n(t, t.neg(r)), o = (e + De) / je;
	return ((e, t) => {
		let n = e, s = n.pow(t, o), c = n.mul(s, r), l = n.mul(s, i), u = n.mul(s, a), d = n.eql(n.sqr(c), t), f = n.eql(n.sqr(l), t);
		s = n.cmov(s, c, d), c = n.cmov(u, l, f);
		let p = n.eql(n.sqr(c), t), m = n.cmov(s, c, p);
		return Fe(n, m, t), m;
	});
}
function Be(e) {
	if (e < we) throw Error("sqrt is not defined for small field");
	Ie(e, "tonelliShanks");
	let t = e - z, n = 0;
	for (; t % B === R;) t /= B, n++;
	let r = B, i = W(e);
	for (; We(i, r) === 1;) if (r++ > 1e3) throw Error("Cannot find square root: probably non-prime P");
	if (n === 1) return Le;
	let a = i.pow(r, t), o = (t + z) / B;
	return function(e, r) {
		let i = e;
		if (i.is0(r)) return r;
		if (We(i, r) !== 1) throw Error("Cannot find square root");
		let s = n, c = i.mul(i.ONE, a), l = i.pow(r, t), u = i.pow(r, o);
		for (; !i.eql(l, i.ONE);) {
			if (i.is0(l)) throw Error("Cannot find square root: probably non-prime P");
			let e = 1, t = i.sqr(l);
			for (; !i.eql(t, i.ONE);) if (e++, t = i.sqr(t), e === s) throw Error("Cannot find square root");
			let n = z << BigInt(s - e - 1), r = i.pow(c, n);
			s = e, c = i.sqr(r), l = i.mul(l, c), u = i.mul(u, r);
		}
		return u;
	};
}
function Ve(e) {
	return Ie(e, "Fp.sqrt"), e % Te === we ? Le : e % Oe === Ee ? Re : e % je === ke ? ze(e) : Be(e);
}
var He = [
	"create",
	"isValid",
	"is0",
	"neg",
	"inv",
	"sqrt",
	"sqr",
	"eql",
	"add",
	"sub",
	"mul",
	"pow",
	"div",
	"addN",
	"subN",
	"mulN",
	"sqrN"
];
function U(e) {
	if (O(e, "field"), typeof e.ORDER != "bigint") throw TypeError("param \"ORDER\" is invalid: expected bigint, got " + typeof e.ORDER);
	N(e.BYTES, "BYTES"), N(e.BITS, "BITS");
	for (let t of He) k(e[t], "field." + t);
	if (e.BYTES < 1 || e.BITS < 1) throw Error("invalid field: expected BYTES/BITS > 0");
	if (e.ORDER <= z) throw Error("invalid field: expected ORDER > 1, got " + e.ORDER);
	return e;
}
function Ue(e, t, n = !1) {
	U(e), T(t, "nums"), M(n, "passZero");
	let r = e, i = Array(t.length).fill(n ? r.ZERO : void 0), a = t.reduce((e, t, n) => r.is0(t) ? e : (i[n] = e, r.mul(e, t)), r.ONE), o = r.inv(a);
	return t.reduceRight((e, t, n) => r.is0(t) ? e : (i[n] = r.mul(e, i[n]), r.mul(e, t)), o), i;
}
function We(e, t) {
	U(e);
	let n = e;
	Ie(n.ORDER, "FpLegendre");
	let r = (n.ORDER - z) / B, i = n.pow(t, r), a = n.eql(i, n.ONE), o = n.eql(i, n.ZERO), s = n.eql(i, n.neg(n.ONE));
	if (!a && !o && !s) throw Error("invalid Legendre symbol result");
	return a ? 1 : o ? 0 : -1;
}
function Ge(e, t) {
	if (t !== void 0 && D(t), e <= R) throw Error("invalid n length: expected positive n, got " + e);
	if (t !== void 0 && t < 1) throw Error("invalid n length: expected positive bit length, got " + t);
	let n = L(e);
	if (t !== void 0 && t < n) throw Error(`invalid n length: expected nBitLength (${t}) >= bitLen(n) (${n})`);
	let r = t === void 0 ? n : t;
	return {
		nBitLength: r,
		nByteLength: Math.ceil(r / 8)
	};
}
var Ke = /* @__PURE__ */ new WeakMap(), qe = class {
	ORDER;
	BITS;
	BYTES;
	isLE;
	ZERO = R;
	ONE = z;
	_lengths;
	_mod;
	constructor(e, t = {}) {
		if (e <= z) throw Error("invalid field: expected ORDER > 1, got " + e);
		let n;
		this.isLE = !1, typeof t == "object" && t && (typeof t.BITS == "number" && (n = t.BITS), typeof t.sqrt == "function" && Object.defineProperty(this, "sqrt", {
			value: t.sqrt,
			enumerable: !0
		}), typeof t.isLE == "boolean" && (this.isLE = t.isLE), t.allowedLengths && (this._lengths = Object.freeze(t.allowedLengths.slice())), typeof t.modFromBytes == "boolean" && (this._mod = t.modFromBytes));
		let { nBitLength: r, nByteLength: i } = Ge(e, n);
		if (i > 2048) throw Error("invalid field: expected ORDER of <= 2048 bytes");
		this.ORDER = e, this.BITS = r, this.BYTES = i, Object.freeze(this);
	}
	create(e) {
		return V(e, this.ORDER);
	}
	isValid(e) {
		if (typeof e != "bigint") throw TypeError("invalid field element: expected bigint, got " + typeof e);
		return R <= e && e < this.ORDER;
	}
	is0(e) {
		return e === R;
	}
	isValidNot0(e) {
		return !this.is0(e) && this.isValid(e);
	}
	isOdd(e) {
		return (e & z) === z;
	}
	neg(e) {
		return V(-e, this.ORDER);
	}
	eql(e, t) {
		return e === t;
	}
	sqr(e) {
		return V(e * e, this.ORDER);
	}
	add(e, t) {
		return V(e + t, this.ORDER);
	}
	sub(e, t) {
		return V(e - t, this.ORDER);
	}
	mul(e, t) {
		return V(e * t, this.ORDER);
	}
	pow(e, t) {
		return Ne(e, t, this.ORDER);
	}
	div(e, t) {
		return V(e * Pe(t, this.ORDER), this.ORDER);
	}
	sqrN(e) {
		return e * e;
	}
	addN(e, t) {
		return e + t;
	}
	subN(e, t) {
		return e - t;
	}
	mulN(e, t) {
		return e * t;
	}
	inv(e) {
		return Pe(e, this.ORDER);
	}
	sqrt(e) {
		let t = Ke.get(this);
		return t || Ke.set(this, t = Ve(this.ORDER)), t(this, e);
	}
	toBytes(e) {
		return this.isLE ? _e(e, this.BYTES) : F(e, this.BYTES);
	}
	fromBytes(e, t = !1) {
		E(e);
		let { _lengths: n, BYTES: r, isLE: i, ORDER: a, _mod: o } = this;
		if (n) {
			if (e.length < 1 || !n.includes(e.length) || e.length > r) throw Error("Field.fromBytes: expected " + n + " bytes, got " + e.length);
			let t = new Uint8Array(r);
			t.set(e, i ? 0 : t.length - e.length), e = t;
		}
		if (e.length !== r) throw Error("Field.fromBytes: expected " + r + " bytes, got " + e.length);
		let s = i ? ge(e) : P(e);
		if (o && (s = V(s, a)), !t && !this.isValid(s)) throw Error("invalid field element: outside of range 0..ORDER");
		return s;
	}
	invertBatch(e) {
		return Ue(this, e, !0);
	}
	cmov(e, t, n) {
		return M(n, "condition"), n ? t : e;
	}
};
function W(e, t = {}) {
	return Object.freeze(qe.prototype), new qe(e, t);
}
function Je(e) {
	if (typeof e != "bigint") throw Error("field order must be bigint");
	if (e <= z) throw Error("field order must be greater than 1");
	let t = L(e - z);
	return Math.ceil(t / 8);
}
function Ye(e) {
	let t = Je(e);
	return t + Math.ceil(t / 2);
}
function Xe(e, t, n = !1) {
	E(e);
	let r = e.length, i = Je(t), a = Math.max(Ye(t), 16);
	if (r < a || r > 1024) throw Error("expected " + a + "-1024 bytes of input, got " + r);
	let o = V(n ? ge(e) : P(e), t - z) + z;
	return n ? _e(o, i) : F(o, i);
}
// node_modules/@noble/curves/abstract/curve.js
var Ze = /* @__PURE__ */ BigInt(0), G = /* @__PURE__ */ BigInt(1), Qe = /* @__PURE__ */ BigInt(4), $e = 16, et = 128, tt = 5, nt = 2 ** 31;
function rt(e) {
	let t = e;
	if (typeof t != "function") throw TypeError("\"Point\" expected constructor, got type=" + typeof e);
	k(t.fromAffine, "Point.fromAffine"), k(t.fromBytes, "Point.fromBytes"), k(t.fromHex, "Point.fromHex"), O(t.BASE, "Point.BASE"), O(t.ZERO, "Point.ZERO"), U(t.Fp), U(t.Fn);
}
function it(e, t) {
	rt(e), ct(t, e);
	let n = Ue(e.Fp, t.map((e) => e.Z));
	return t.map((t, r) => e.fromAffine(t.toAffine(n[r])));
}
function at(e, t, n = 1) {
	if (!Number.isSafeInteger(e) || e < n || e > t) throw Error("invalid window size, expected [" + n + ".." + t + "], got W=" + e);
}
function ot(e, t) {
	let n = e * (4 * t + 128);
	if (n > nt) throw Error("invalid window size: table would need ~" + Math.ceil(n / 2 ** 20) + " MiB, max " + nt / 2 ** 20 + " MiB");
}
function st(e, t) {
	if (e !== void 0) {
		k(e, "randomBytes");
		try {
			let n = e(t);
			if (!ue(n) || n.length !== t) return;
		} catch {
			return;
		}
		return e;
	}
}
function ct(e, t) {
	T(e, "points"), e.forEach((e, n) => {
		if (!(e instanceof t)) throw Error("invalid point at index " + n);
	});
}
function lt(e, t, n) {
	if (!Array.isArray(e)) throw Error("array of scalars expected");
	e.forEach((e, r) => {
		if (!(n === void 0 ? t.isValid(e) : I(e) && e < n)) throw Error("invalid scalar at index " + r);
	});
}
var ut = /* @__PURE__ */ new WeakMap();
function dt(e) {
	return ut.get(e) || 1;
}
function ft(e, t) {
	let n = e.double(), r = [e];
	for (let e = 1; e < t; e++) r.push(r[e - 1].add(n));
	return r;
}
function pt(e, t) {
	let n = 2 ** t, r = n / 2, i = BigInt(n - 1), a = [];
	for (; e > Ze;) {
		let t = 0;
		e & G && (t = Number(e & i), t >= r && (t -= n), e -= BigInt(t)), a.push(t), e >>= G;
	}
	return a;
}
function mt(e, t, n) {
	let r = 2 ** t, i = r / 2, a = BigInt(r - 1), o = BigInt(t), s = [];
	for (let t = 0; t < n; t++) {
		let t = Number(e & a);
		e >>= o, t > i && (t -= r, e += G), s.push(t);
	}
	if (e !== Ze) throw Error("invalid wnaf");
	return s;
}
function ht(e, t, n) {
	let r = 0;
	for (let e of n) r = Math.max(r, e.length);
	let i = e;
	for (let e = r - 1; e >= 0; e--) {
		e !== r - 1 && (i = i.double());
		for (let r = 0; r < n.length; r++) {
			let a = n[r][e];
			if (a) {
				let e = t[r][Math.abs(a) - 1 >> 1];
				i = i.add(a < 0 ? e.negate() : e);
			}
		}
	}
	return i;
}
var gt = class {
	Point;
	BASE;
	ZERO;
	randomBytes;
	wnafPrecomputes = /* @__PURE__ */ new WeakMap();
	baseCanBeBlinded;
	bits;
	constructor(e, t) {
		rt(e), this.randomBytes = st(t, $e), this.Point = e, this.BASE = e.BASE, this.ZERO = e.ZERO, this.bits = e.Fn.BITS;
	}
	buildWnafTable(e, t, n) {
		let r = Math.ceil(n / t) + 1, i = 2 ** (t - 1), a = [], o = e;
		for (let e = 0; e < r; e++) {
			let e = o;
			for (let t = 0; t < i; t++) a.push(e), e = e.add(o);
			o = a[a.length - 1].double();
		}
		return {
			W: t,
			bits: n,
			windows: r,
			comp: a
		};
	}
	wnafCachedCT(e, t) {
		let { W: n, windows: r, comp: i } = e, a = 2 ** (n - 1), o = mt(t, n, r), s = this.ZERO, c = this.BASE;
		for (let e = 0; e < r; e++) {
			let t = o[e], n = e * a, r = Math.abs(t) - 1, l = i[n];
			for (let e = 1; e < a; e++) l = e === r ? i[n + e] : l;
			let u = l.negate();
			t === 0 ? c = c.add(i[n]) : s = s.add(t < 0 ? u : l);
		}
		return {
			p: s,
			f: c
		};
	}
	getWnafPrecomputes(e, t, n, r) {
		let i = this.wnafPrecomputes.get(t), a = i?.find((t) => t.W === e && t.bits === n);
		return a || (a = this.buildWnafTable(t, e, n), typeof r == "function" && (a = {
			...a,
			comp: r(a.comp)
		}), i || (i = [], this.wnafPrecomputes.set(t, i)), i.push(a)), a;
	}
	assertPoint(e) {
		if (!(e instanceof this.Point)) throw TypeError("\"point\" expected Point instance, got type=" + typeof e);
	}
	validateMulInput(e, t) {
		if (this.assertPoint(e), !be(t, G, this.Point.Fn.ORDER)) throw Error("invalid scalar");
	}
	runCT(e, t, n, r) {
		let i = dt(e);
		return i === 1 ? this.fixedWindowCT(e, t, n) : this.wnafCachedCT(this.getWnafPrecomputes(i, e, n, r), t);
	}
	mulCT(e, t, n) {
		return this.validateMulInput(e, t), this.runCT(e, t, this.bits, n);
	}
	mulCTBlinded(e, t, n) {
		if (this.validateMulInput(e, t), this.randomBytes === void 0) throw Error("randomBytes is required for scalar blinding");
		let r = this.Point.Fn.BITS + et, i = this.randomBytes($e);
		if (!ue(i) || i.length !== $e) throw Error("randomBytes returned invalid byte array");
		i[0] = i[0] & 63 | 128;
		let a = t + P(i) * this.Point.Fn.ORDER;
		return this.runCT(e, a, r, n);
	}
	fixedWindowCT(e, t, n) {
		let r = tt, i = Se(r), a = Array(32);
		a[0] = this.ZERO;
		for (let t = 1; t < 32; t++) a[t] = a[t - 1].add(e);
		let o = Math.ceil(n / r), s = this.ZERO;
		for (let e = o - 1; e >= 0; e--) {
			if (e !== o - 1) for (let e = 0; e < r; e++) s = s.double();
			let n = Number(t >> BigInt(e * r) & i), c = a[0];
			for (let e = 1; e < 32; e++) c = e === n ? a[e] : c;
			s = s.add(c);
		}
		return {
			p: s,
			f: s
		};
	}
	shouldBlind(e, t) {
		return this.randomBytes === void 0 ? !1 : t === G || e === this.BASE && (this.baseCanBeBlinded === void 0 && (this.baseCanBeBlinded = this.mulUnsafe(this.BASE, this.Point.Fn.ORDER).is0()), this.baseCanBeBlinded);
	}
	mulSecret(e, t, n, r) {
		return this.shouldBlind(e, n) ? this.mulCTBlinded(e, t, r) : this.mulCT(e, t, r);
	}
	mulUnsafe(e, t, n) {
		if (this.assertPoint(e), !I(t)) throw Error("invalid scalar");
		let r = dt(e);
		if (r === 1 || t >= this.Point.Fn.ORDER) return _t(this.Point, [e], [t], !0);
		let i = this.getWnafPrecomputes(r, e, this.bits, n);
		return this.wnafCachedCT(i, t).p;
	}
	setWindowSize(e, t) {
		this.assertPoint(e), at(t, this.bits), ot((Math.ceil((this.bits + et) / t) + 1) * 2 ** (t - 1), this.Point.Fp.BYTES), ut.set(e, t), this.wnafPrecomputes.delete(e);
	}
	hasWindowSize(e) {
		return dt(e) !== 1;
	}
};
function _t(e, t, n, r = !1) {
	if (rt(e), ct(t, e), M(r, "allowOversized"), lt(n, e.Fn, r ? e.Fn.ORDER ** Qe : void 0), t.length !== n.length) throw Error("arrays of points and scalars must have equal length");
	let i = t.map((e) => ft(e, 4)), a = n.map((e) => pt(e, 4));
	return ht(e.ZERO, i, a);
}
function vt(e, t, n) {
	if (t) {
		if (t.ORDER !== e) throw Error("Field.ORDER must match order: Fp == p, Fn == n");
		return U(t), t;
	}
	return W(e, { isLE: n });
}
function yt(e, t, n = {}, r) {
	if (e !== "weierstrass" && e !== "edwards") throw Error("expected curve type \"weierstrass\" or \"edwards\"");
	if (r === void 0 && (r = e === "edwards"), !t || typeof t != "object") throw Error(`expected valid ${e} CURVE object`);
	Ce(n);
	for (let e of [
		"p",
		"n",
		"h"
	]) {
		let n = t[e];
		if (!(I(n) && n !== Ze)) throw Error(`CURVE.${e} must be positive bigint`);
	}
	let i = vt(t.p, n.Fp, r), a = vt(t.n, n.Fn, r), o = [
		"Gx",
		"Gy",
		"a",
		e === "weierstrass" ? "b" : "d"
	];
	for (let e of o) if (!i.isValid(t[e])) throw Error(`CURVE.${e} must be valid field element of CURVE.Fp`);
	return t = Object.freeze(Object.assign({}, t)), {
		CURVE: t,
		Fp: i,
		Fn: a
	};
}
function bt(e, t) {
	return function(n) {
		let r = e(n);
		return {
			secretKey: r,
			publicKey: t(r)
		};
	};
}
// node_modules/@noble/curves/abstract/weierstrass.js
var xt = (e, t) => (e + (e >= 0 ? t : -t) / Ct) / t;
function St(e, t, n) {
	xe("scalar", e, K, n);
	let [[r, i], [a, o]] = t, s = xt(o * e, n), c = xt(-i * e, n), l = e - s * r - c * a, u = -s * i - c * o, d = l < K, f = u < K;
	d && (l = -l), f && (u = -u);
	let p = Se(Math.ceil(L(n) / 2)) + q;
	if (l < K || l >= p || u < K || u >= p) throw Error("splitScalar (endomorphism): failed for k");
	return {
		k1neg: d,
		k1: l,
		k2neg: f,
		k2: u
	};
}
var K = /* @__PURE__ */ BigInt(0), q = /* @__PURE__ */ BigInt(1), Ct = /* @__PURE__ */ BigInt(2), wt = /* @__PURE__ */ BigInt(3), Tt = /* @__PURE__ */ BigInt(4);
function Et(e, t = {}) {
	let n = yt("weierstrass", e, t), r = n.Fp, i = n.Fn, a = n.CURVE, { h: o, n: s } = a;
	Ce(t, {}, {
		allowInfinityPoint: "boolean",
		clearCofactor: "function",
		isTorsionFree: "function",
		fromBytes: "function",
		toBytes: "function",
		endo: "object",
		randomBytes: "function"
	});
	let { endo: c, allowInfinityPoint: l, clearCofactor: u, isTorsionFree: d, fromBytes: f, toBytes: p } = t, m = t.randomBytes === void 0 ? de : t.randomBytes;
	if (c && (!r.is0(a.a) || typeof c.beta != "bigint" || !Array.isArray(c.basises))) throw Error("invalid endo: expected \"beta\": bigint and \"basises\": array");
	let h = c ? {
		beta: c.beta,
		basises: c.basises.map((e) => [...e])
	} : void 0, g = Ot(r, i);
	function _() {
		if (!r.isOdd) throw Error("compression is not supported: Field does not have .isOdd()");
	}
	function ee(e, t, n) {
		if (t.is0()) {
			if (!l) throw Error("bad point: ZERO");
			return Uint8Array.of(0);
		}
		let { x: i, y: a } = t.toAffine(), o = r.toBytes(i);
		return M(n, "isCompressed"), n ? (_(), A(Dt(!r.isOdd(a)), o)) : A(Uint8Array.of(4), o, r.toBytes(a));
	}
	function te(e) {
		E(e, void 0, "Point");
		let { publicKey: t, publicKeyUncompressed: n } = g, i = e.length, a = e[0], o = e.subarray(1);
		if (l && i === 1 && a === 0) return {
			x: r.ZERO,
			y: r.ZERO
		};
		if (i === t && (a === 2 || a === 3)) {
			let e = r.fromBytes(o);
			if (!r.isValid(e)) throw Error("bad point: is not on curve, wrong x");
			let t = ie(e), n;
			try {
				n = r.sqrt(t);
			} catch (e) {
				let t = e instanceof Error ? ": " + e.message : "";
				throw Error("bad point: is not on curve, sqrt error" + t);
			}
			_();
			let i = r.isOdd(n);
			return (a & 1) == 1 !== i && (n = r.neg(n)), {
				x: e,
				y: n
			};
		}
		if (i === n && a === 4) {
			let e = r.BYTES, t = r.fromBytes(o.subarray(0, e)), n = r.fromBytes(o.subarray(e, e * 2));
			if (!b(t, n)) throw Error("bad point: is not on curve");
			return {
				x: t,
				y: n
			};
		}
		throw Error(`bad point: got length ${i}, expected compressed=${t} or uncompressed=${n}`);
	}
	let ne = p === void 0 ? ee : p, re = f === void 0 ? te : f, v = r.mul(a.b, wt), y = r.is0(a.a) ? (e) => r.ZERO : (e) => r.mul(a.a, e);
	function ie(e) {
		let t = r.sqr(e), n = r.mul(t, e);
		return r.add(r.add(n, r.mul(e, a.a)), a.b);
	}
	function b(e, t) {
		let n = r.sqr(t), i = ie(e);
		return r.eql(n, i);
	}
	if (!b(a.Gx, a.Gy)) throw Error("bad curve params: generator point");
	let ae = r.mul(r.pow(a.a, wt), Tt), oe = r.mul(r.sqr(a.b), BigInt(27));
	if (r.is0(r.add(ae, oe))) throw Error("bad curve params: a or b");
	function x(e, t, n = !1) {
		if (!r.isValid(t) || n && r.is0(t)) throw Error(`bad point coordinate ${e}`);
		return typeof t == "object" && t ? r.create(t) : t;
	}
	function S(e) {
		if (!(e instanceof T)) throw Error("Weierstrass Point expected");
	}
	function se(e) {
		if (!h || !h.basises) throw Error("no endo");
		return St(e, h.basises, i.ORDER);
	}
	function C(e, t, n, a) {
		if (!i.isValid(a)) throw RangeError("invalid scalar: out of range");
		if (h) {
			let { k1neg: i, k1: o, k2neg: s, k2: c } = se(a), l = new T(r.mul(n.X, h.beta), n.Y, n.Z);
			e.push(i ? n.negate() : n, s ? l.negate() : l), t.push(o, c);
		} else e.push(n), t.push(a);
	}
	let w = /* @__PURE__ */ new WeakSet();
	class T {
		static BASE = new T(a.Gx, a.Gy, r.ONE);
		static ZERO = new T(r.ZERO, r.ONE, r.ZERO);
		static Fp = r;
		static Fn = i;
		X;
		Y;
		Z;
		constructor(e, t, n) {
			this.X = x("x", e), this.Y = x("y", t, !0), this.Z = x("z", n), Object.freeze(this);
		}
		static CURVE() {
			return a;
		}
		static fromAffine(e) {
			let { x: t, y: n } = e || {};
			if (!e || !r.isValid(t) || !r.isValid(n)) throw Error("invalid affine point");
			if (e instanceof T) throw Error("projective point not allowed");
			return r.is0(t) && r.is0(n) ? T.ZERO : new T(t, n, r.ONE);
		}
		static fromBytes(e) {
			let t = T.fromAffine(re(E(e, void 0, "point")));
			return t.assertValidity(), t;
		}
		static fromHex(e) {
			return T.fromBytes(le(e));
		}
		get x() {
			return this.toAffine().x;
		}
		get y() {
			return this.toAffine().y;
		}
		precompute(e = 6, t = !0) {
			return O.setWindowSize(this, e), t || this.multiply(wt), this;
		}
		assertValidity() {
			let e = this;
			if (e.is0()) {
				if (l && r.is0(e.X) && r.eql(e.Y, r.ONE) && r.is0(e.Z)) return;
				throw Error("bad point: ZERO");
			}
			if (w.has(e)) return;
			let { x: t, y: n } = e.toAffine();
			if (!r.isValid(t) || !r.isValid(n)) throw Error("bad point: x or y not field elements");
			if (!b(t, n)) throw Error("bad point: equation left != right");
			if (!e.isTorsionFree()) throw Error("bad point: not in prime-order subgroup");
			w.add(e);
		}
		hasEvenY() {
			let { y: e } = this.toAffine();
			if (!r.isOdd) throw Error("Field doesn't support isOdd");
			return !r.isOdd(e);
		}
		equals(e) {
			S(e);
			let { X: t, Y: n, Z: i } = this, { X: a, Y: o, Z: s } = e, c = r.eql(r.mul(t, s), r.mul(a, i)), l = r.eql(r.mul(n, s), r.mul(o, i));
			return c && l;
		}
		negate() {
			return new T(this.X, r.neg(this.Y), this.Z);
		}
		double() {
			let { X: e, Y: t, Z: n } = this, i = r.ZERO, a = r.ZERO, o = r.ZERO, s = r.mul(e, e), c = r.mul(t, t), l = r.mul(n, n), u = r.mul(e, t);
			return u = r.add(u, u), o = r.mul(e, n), o = r.add(o, o), i = y(o), a = r.mul(v, l), a = r.add(i, a), i = r.sub(c, a), a = r.add(c, a), a = r.mul(i, a), i = r.mul(u, i), o = r.mul(v, o), l = y(l), u = r.sub(s, l), u = y(u), u = r.add(u, o), o = r.add(s, s), s = r.add(o, s), s = r.add(s, l), s = r.mul(s, u), a = r.add(a, s), l = r.mul(t, n), l = r.add(l, l), s = r.mul(l, u), i = r.sub(i, s), o = r.mul(l, c), o = r.add(o, o), o = r.add(o, o), new T(i, a, o);
		}
		add(e) {
			S(e);
			let { X: t, Y: n, Z: i } = this, { X: a, Y: o, Z: s } = e, c = r.ZERO, l = r.ZERO, u = r.ZERO, d = r.mul(t, a), f = r.mul(n, o), p = r.mul(i, s), m = r.add(t, n), h = r.add(a, o);
			m = r.mul(m, h), h = r.add(d, f), m = r.sub(m, h), h = r.add(t, i);
			let g = r.add(a, s);
			return h = r.mul(h, g), g = r.add(d, p), h = r.sub(h, g), g = r.add(n, i), c = r.add(o, s), g = r.mul(g, c), c = r.add(f, p), g = r.sub(g, c), u = y(h), c = r.mul(v, p), u = r.add(c, u), c = r.sub(f, u), u = r.add(f, u), l = r.mul(c, u), f = r.add(d, d), f = r.add(f, d), p = y(p), h = r.mul(v, h), f = r.add(f, p), p = r.sub(d, p), p = y(p), h = r.add(h, p), d = r.mul(f, h), l = r.add(l, d), d = r.mul(g, h), c = r.mul(m, c), c = r.sub(c, d), d = r.mul(m, f), u = r.mul(g, u), u = r.add(u, d), new T(c, l, u);
		}
		subtract(e) {
			return S(e), this.add(e.negate());
		}
		is0() {
			return this.equals(T.ZERO);
		}
		multiply(e) {
			if (!i.isValidNot0(e)) throw RangeError("invalid scalar: out of range");
			let { p: t, f: n } = O.mulSecret(this, e, o, D);
			return D([t, n])[0];
		}
		multiplyUnsafe(e) {
			let t = this, n = e;
			if (!i.isValid(n)) throw RangeError("invalid scalar: out of range");
			if (n === K || t.is0()) return T.ZERO;
			if (n === q) return t;
			if (O.hasWindowSize(this)) return O.mulUnsafe(t, n, D);
			let r = [], a = [];
			return C(r, a, t, n), _t(T, r, a);
		}
		mulAddUnsafe(e, t, n) {
			S(t);
			let r = [], i = [];
			return C(r, i, this, e), C(r, i, t, n), _t(T, r, i);
		}
		toAffine(e) {
			let t = this, n = e;
			if (n != null && !r.isValid(n)) throw RangeError("\"invertedZ\" expected valid field element");
			let { X: i, Y: a, Z: o } = t;
			if (r.eql(o, r.ONE)) return {
				x: i,
				y: a
			};
			let s = t.is0();
			n ??= s ? r.ONE : r.inv(o);
			let c = r.mul(i, n), l = r.mul(a, n), u = r.mul(o, n);
			if (s) return {
				x: r.ZERO,
				y: r.ZERO
			};
			if (!r.eql(u, r.ONE)) throw Error("invZ was invalid");
			return {
				x: c,
				y: l
			};
		}
		isTorsionFree() {
			return o === q ? !0 : d ? d(T, this) : O.mulUnsafe(this, s).is0();
		}
		clearCofactor() {
			return o === q ? this : u ? u(T, this) : this.multiplyUnsafe(o);
		}
		isSmallOrder() {
			return o === q ? this.is0() : this.clearCofactor().is0();
		}
		toBytes(e = !0) {
			return M(e, "isCompressed"), this.assertValidity(), ne(T, this, e);
		}
		toHex(e = !0) {
			return ce(this.toBytes(e));
		}
		toString() {
			return `<Point ${this.is0() ? "ZERO" : this.toHex()}>`;
		}
	}
	let D = (e) => it(T, e), O = new gt(T, m);
	return O.bits >= 6 && T.BASE.precompute(6), Object.freeze(T.prototype), Object.freeze(T), T;
}
function Dt(e) {
	return Uint8Array.of(e ? 2 : 3);
}
function Ot(e, t) {
	return {
		secretKey: t.BYTES,
		publicKey: 1 + e.BYTES,
		publicKeyUncompressed: 1 + 2 * e.BYTES,
		publicKeyHasPrefix: !0,
		signature: 2 * t.BYTES
	};
}
// node_modules/@noble/curves/secp256k1.js
var J = {
	p: BigInt("0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"),
	n: BigInt("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
	h: BigInt(1),
	a: BigInt(0),
	b: BigInt(7),
	Gx: BigInt("0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
	Gy: BigInt("0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8")
}, kt = {
	beta: BigInt("0x7ae96a2b657c07106e64479eac3434e99cf0497512f58995c1396c28719501ee"),
	basises: [[BigInt("0x3086d221a7d46bcde86c90e49284eb15"), -BigInt("0xe4437ed6010e88286f547fa90abfe4c3")], [BigInt("0x114ca50f7a8e2f3f657c1108d9d44cfd8"), BigInt("0x3086d221a7d46bcde86c90e49284eb15")]]
}, At = /* @__PURE__ */ BigInt(0), jt = /* @__PURE__ */ BigInt(2);
function Mt(e) {
	let t = J.p, n = BigInt(3), r = BigInt(6), i = BigInt(11), a = BigInt(22), o = BigInt(23), s = BigInt(44), c = BigInt(88), l = e * e * e % t, u = l * l * e % t, d = H(H(H(u, n, t) * u % t, n, t) * u % t, jt, t) * l % t, f = H(d, i, t) * d % t, p = H(f, a, t) * f % t, m = H(p, s, t) * p % t, h = H(H(H(H(H(H(m, c, t) * m % t, s, t) * p % t, n, t) * u % t, o, t) * f % t, r, t) * l % t, jt, t);
	if (!Y.eql(Y.sqr(h), e)) throw Error("Cannot find square root");
	return h;
}
var Y = /* @__PURE__ */ W(J.p, { sqrt: Mt }), X = /* @__PURE__ */ Et(J, {
	Fp: Y,
	endo: kt
}), Nt = Object.create(null);
function Z(e, ...t) {
	let n = Nt[e];
	if (n === void 0) {
		let t = w(ye(e));
		n = A(t, t), Nt[e] = n;
	}
	return w(A(n, ...t));
}
var Pt = (e) => e.toBytes(!0).slice(1), Ft = ({ x: e }) => Y.toBytes(e), Q = (e) => !Y.isOdd(e);
function It(e) {
	let { Fn: t, BASE: n } = X, r = t.fromBytes(E(e, 32, "secretKey")), i = n.multiply(r).toAffine();
	return {
		scalar: Q(i.y) ? r : t.neg(r),
		bytes: Ft(i)
	};
}
function Lt(e) {
	let t = Y;
	if (!t.isValidNot0(e)) throw Error("invalid x: Fail if x ≥ p");
	let n = t.sqr(e), r = t.add(t.mulN(n, e), BigInt(7)), i = t.sqrt(r);
	Q(i) || (i = t.neg(i));
	let a = X.fromAffine({
		x: e,
		y: i
	});
	return a.assertValidity(), a;
}
var $ = P;
function Rt(...e) {
	return X.Fn.create($(Z("BIP0340/challenge", ...e)));
}
function zt(e) {
	return It(e).bytes;
}
function Bt(e, t, n = v(32)) {
	let { Fn: r, BASE: i } = X, a = ve(E(e, void 0, "message")), { bytes: o, scalar: s } = It(t), c = E(n, 32, "auxRand"), l = Z("BIP0340/nonce", r.toBytes(s ^ $(Z("BIP0340/aux", c))), o, a), u = r.create($(l));
	if (u === At) throw Error("sign failed: k is zero");
	let d = i.multiply(u).toAffine(), f = Q(d.y) ? u : r.neg(u), p = Ft(d), m = Rt(p, o, a), h = /* @__PURE__ */ new Uint8Array(64);
	if (h.set(p, 0), h.set(r.toBytes(r.create(f + m * s)), 32), !Vt(h, a, o)) throw Error("sign: Invalid signature produced");
	return h;
}
function Vt(e, t, n) {
	let { Fp: r, Fn: i, BASE: a } = X, o = E(e, 64, "signature"), s = E(t, void 0, "message"), c = E(n, 32, "publicKey");
	try {
		let e = Lt($(c)), t = o.subarray(0, 32), n = $(t);
		if (!r.isValidNot0(n)) return !1;
		let l = $(o.subarray(32, 64));
		if (!i.isValidNot0(l)) return !1;
		let u = Rt(t, Pt(e), s), d = a.mulAddUnsafe(l, e, i.neg(u)), { x: f, y: p } = d.toAffine();
		return !(d.is0() || !Q(p) || !r.eql(f, n));
	} catch {
		return !1;
	}
}
var Ht = /* @__PURE__ */ (() => {
	let e = (e) => (e = e === void 0 ? v(48) : e, Xe(E(e, 48, "seed"), J.n));
	return Object.freeze({
		keygen: bt(e, zt),
		getPublicKey: zt,
		sign: Bt,
		verify: Vt,
		Point: X,
		utils: Object.freeze({
			randomSecretKey: e,
			taggedHash: Z,
			lift_x: Lt,
			pointToBytes: Pt
		}),
		lengths: Object.freeze({
			secretKey: 32,
			publicKey: 32,
			publicKeyHasPrefix: !1,
			signature: 64,
			seed: 48
		})
	});
})();
export { Ht as schnorr, w as sha256 };
