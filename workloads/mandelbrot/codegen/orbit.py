"""Writes what is done to the pixels of a block: updates of z, looks at |z|, and the parking of escaped ones.

Every way of updating does the same operations with the same rounding (a halved number loses nothing above
float64's smallest), so a pixel's value does not depend on its neighbours.
"""

from typing import Any

from llvmlite import ir

from workloads.mandelbrot.codegen.vectors import F32, F64, I64, Shape, Vectors

# Where no coordinate reaches 2, |z|**2 is below this.
CALM_NORM = 8.0
FRAME_PARTS = 6
BIT = ir.IntType(1)


class Orbits:
    """The variables of a block; they are on the stack, from where LLVM moves them to registers.

    n counts the updates done, so that z is z_n. As long as updates are watched, a pixel that has escaped
    stays where it is. Before the others go on unwatched, it is parked: z = c = 0, and its limit is negative.

    Attributes:
        b: Where code is added.
        v: Vectors of a row of the block.
        n: How many updates have been done.
        parked: Whether any pixel was parked.
    """

    def __init__(
        self, builder: ir.IRBuilder, shape: Shape, frame: Any, results: tuple[Any, Any], stride: Any
    ) -> None:
        """Take room for the variables.

        Args:
            builder: At the function's entry.
            shape: Of the block.
            frame: See `block.define_iterate`.
            results: Where |z|**2 and the last indices go.
            stride: Distance of two rows there.
        """
        self.b, self.shape, self.rows = builder, shape, range(shape.rows)
        self.v = Vectors(builder, F32 if shape.preview else F64, shape.lanes)
        self._floats = ir.VectorType(F32, shape.lanes)
        self.z_re, self.z_im, self.norm = ([builder.alloca(self.v.kind) for _ in self.rows] for _ in range(3))
        self.n, self.parked = builder.alloca(I64), builder.alloca(BIT)
        whole, kept = (builder.bitcast(frame, kind.as_pointer()) for kind in (self.v.kind, self._floats))
        self.c_re, self.c_im, self.half, self.limits = (
            [self._at(whole, part * shape.rows + row) for row in self.rows] for part in range(4)
        )
        # float32 vectors need half the room of float64 ones.
        size = shape.rows * (1 if shape.preview else 2)
        self._kept = [[self._at(kept, part * size + row) for part in (4, 5)] for row in self.rows]
        self._results = [[self._row(out, stride, row) for out in results] for row in self.rows]

    def begin(self, xs: Any) -> None:
        """Begin with z_1 = c: its real parts are at an address, its imaginary parts in the frame."""
        b = self.b
        c_re = self.v.load(b.bitcast(xs, self.v.kind.as_pointer()))
        for row in self.rows:
            b.store(c_re, self.c_re[row], align=4)
            self._store_z(row, c_re, self.v.load(self.c_im[row]))
        b.store(ir.Constant(I64, 1), self.n)
        b.store(ir.Constant(BIT, 0), self.parked)

    def update(self, updates: int) -> None:
        """Replace z by z * z + c so many times, without a look."""
        pairs = 0 if self.shape.adders else updates // 2
        for _ in range(pairs):
            self._pair()
        for _ in range(updates - 2 * pairs):
            self._stay()
            for row in self.rows:
                self._store_z(row, *self._next(row))
        self._advance(updates)

    def undo(self, updates: int, before: list[Any]) -> None:
        """Go back so many updates, to what `state` returned then."""
        for value, variable in zip(before, (*self.z_re, *self.z_im), strict=True):
            self.b.store(value, variable)
        self._advance(-updates)

    def state(self) -> list[Any]:
        """Return z."""
        return [self.b.load(variable) for variable in (*self.z_re, *self.z_im)]

    def update_watched(self, updates: int) -> None:
        """Update only the pixels that have not escaped; keep |z|**2 and the last index that found them so."""
        b = self.b
        for _ in range(updates):
            self._stay()
            n = self.v.splat(b.sitofp(b.load(self.n), F32))
            for row in self.rows:
                inside = self.inside(row)
                self._store_where(inside, n, self._results[row][1])
                previous = b.load(self.z_re[row]), b.load(self.z_im[row])
                chosen = (
                    b.select(inside, new, old) for new, old in zip(self._next(row), previous, strict=True)
                )
                self._store_z(row, *chosen)
                b.store(self.norm_of(row), self.norm[row])
            self._advance(1)

    def norm_of(self, row: int) -> Any:
        """Return |z|**2 of a row."""
        x, y = self.b.load(self.z_re[row]), self.b.load(self.z_im[row])
        return self.v.fma(y, y, self.b.fmul(x, x))

    def look(self) -> None:
        """Keep |z|**2."""
        for row in self.rows:
            self.b.store(self.norm_of(row), self.norm[row])

    def inside(self, row: int) -> Any:
        """Return which pixels of a row have not escaped, by the last look."""
        return self.b.fcmp_ordered("<=", *self._norm_and_limit(row))

    def all_escaped(self) -> Any:
        """Return whether no pixel is left, by the last look."""
        return self.v.all_of([self.b.fcmp_unordered(">", *self._norm_and_limit(row)) for row in self.rows])

    def any_above(self, least: float) -> Any:
        """Return whether |z|**2 of a pixel that has not escaped is at least so much, by the last look."""
        b, limit = self.b, self.v.all(least)
        norms = (b.load(norm) for norm in self.norm)
        return self.v.any_of(
            [
                b.and_(self.inside(row), b.fcmp_ordered(">=", norm, limit))
                for row, norm in zip(self.rows, norms, strict=True)
            ]
        )

    def any_leaving(self) -> Any:
        """Return whether a coordinate is 2 or more, or no number: at a |z|**2 of CALM_NORM or more one is."""
        b = self.b
        # The highest bit of the exponent is set then, and only then.
        words = [b.bitcast(z, self.v.integers) for z in self.state()]
        while len(words) > 1:
            words = [b.or_(p, q) for p, q in zip(words[::2], words[1::2], strict=True)]
        bit = self.v.bits(1 << (30 if self.shape.preview else 62))
        return self.v.any(b.icmp_unsigned("!=", b.and_(words[0], bit), self.v.bits(0)))

    def store_lasts(self, index: Any) -> None:
        """Keep an index as the last one of all pixels; that of a parked pixel is kept in the frame."""
        for _, last in self._results:
            self.b.store(self.v.splat(index), last, align=4)

    def store_norms(self) -> None:
        """Keep |z|**2 of the last look as the result of all pixels, likewise."""
        for norm, (place, _) in zip(self.norm, self._results, strict=True):
            self.b.store(self._rounded(self.b.load(norm)), place, align=4)

    def park(self) -> None:
        """Park the pixels that have escaped by the last look, and keep their results."""
        b, v, zero = self.b, self.v, self.v.all(0.0)
        for row in self.rows:
            inside = self.inside(row)
            escaped = b.and_(self._running(row), b.not_(inside))
            results = (self._rounded(b.load(self.norm[row])), b.load(self._results[row][1], align=4))
            for value, kept in zip(results, self._kept[row], strict=True):
                self._store_where(escaped, value, kept)
            z = (b.load(self.z_re[row]), b.load(self.z_im[row]))
            self._store_z(row, *(b.select(inside, part, zero) for part in z))
            for place in (self.c_re[row], self.c_im[row], self.half[row]):
                self._store_where(b.not_(inside), zero, place)
            self._store_where(b.not_(inside), v.all(-1.0), self.limits[row])
        b.store(ir.Constant(BIT, 1), self.parked)

    def merge(self) -> None:
        """Put the results of parked pixels where they belong."""
        for row in self.rows:
            parked = self.b.not_(self._running(row))
            for kept, place in zip(self._kept[row], self._results[row], strict=True):
                self._store_where(parked, self.b.load(kept, align=4), place)

    def _pair(self) -> None:
        """Do two updates with seven operations instead of eight, and the same rounding."""
        b, v = self.b, self.v
        # Half the imaginary part: both of its doublings are left to the second update.
        halves = []
        self._stay()
        for row in self.rows:
            x, y = b.load(self.z_re[row]), b.load(self.z_im[row])
            b.store(v.fma(x, x, v.fma(b.fneg(y), y, v.load(self.c_re[row]))), self.z_re[row])
            halves.append(v.fma(x, y, v.load(self.half[row])))
        self._stay()
        for row, half in enumerate(halves):
            x, four = b.load(self.z_re[row]), b.fmul(half, v.all(4.0))
            next_x = v.fma(x, x, v.fma(b.fneg(four), half, v.load(self.c_re[row])))
            self._store_z(row, next_x, v.fma(x, four, v.load(self.c_im[row])))

    def _next(self, row: int) -> tuple[Any, Any]:
        """Return z * z + c of a row."""
        b, v = self.b, self.v
        x, y = b.load(self.z_re[row]), b.load(self.z_im[row])
        next_x = v.fma(x, x, v.fma(b.fneg(y), y, v.load(self.c_re[row])))
        return next_x, v.fma(b.fadd(x, x), y, v.load(self.c_im[row]))

    def _stay(self) -> None:
        """Let LLVM move no load of the frame before this: there are too few registers to hold it all."""
        self.b.fence("acq_rel", "singlethread")

    def _advance(self, updates: int) -> None:
        self.b.store(self.b.add(self.b.load(self.n), ir.Constant(I64, updates)), self.n)

    def _store_z(self, row: int, re: Any, im: Any) -> None:
        self.b.store(re, self.z_re[row])
        self.b.store(im, self.z_im[row])

    def _store_where(self, mask: Any, value: Any, place: Any) -> None:
        self.b.store(self.b.select(mask, value, self.b.load(place, align=4)), place, align=4)

    def _norm_and_limit(self, row: int) -> tuple[Any, Any]:
        return self.b.load(self.norm[row]), self.v.load(self.limits[row])

    def _running(self, row: int) -> Any:
        """Return which pixels of a row are not parked."""
        return self.b.fcmp_ordered(">=", self.v.load(self.limits[row]), self.v.all(0.0))

    def _rounded(self, value: Any) -> Any:
        return value if self.shape.preview else self.b.fptrunc(value, self._floats)

    def _at(self, vectors: Any, index: int) -> Any:
        return self.b.gep(vectors, [ir.Constant(I64, index)])

    def _row(self, out: Any, stride: Any, row: int) -> Any:
        """Return where a row of results goes."""
        offset = self.b.mul(stride, ir.Constant(I64, row))
        return self.b.bitcast(self.b.gep(out, [offset]), self._floats.as_pointer())
