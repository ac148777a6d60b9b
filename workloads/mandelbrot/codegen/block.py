"""Writes the function that iterates a block of pixels, and decides when it looks at |z| between updates.

A block is `rows` high and one vector wide. Nobody looks as long as none of its pixels can have passed the
threshold, and only around an escape does the function look after every update. `docs/architecture.md` has a
diagram of the function's parts, which are LLVM's basic blocks.
"""

from typing import Any

from llvmlite import ir

from workloads.mandelbrot.codegen.orbit import CALM_NORM, Orbits
from workloads.mandelbrot.codegen.vectors import F32, F64, I64, Shape, Vectors

# Where |z|**2 is below this, no coordinate reaches 2.
REST_NORM = 4.0

_PARTS = (
    "sure",
    "sure_odd",
    "one",
    "unsure",
    "unsure_odd",
    "pairs",
    "pair",
    "head",
    "near",
    "near_look",
    "near_update",
    "far_update",
    "far_exact",
    "far_check",
    "far_undo",
    "rest",
    "enter",
    "enter_even",
    "watch",
    "watch_one",
    "watch_any",
    "watch_room",
    "park",
    "finish",
    "end",
    "merge",
    "done",
)


def define_prepare(module: ir.Module, name: str, shape: Shape) -> ir.Function:
    """Add the function that prepares the frame of `define_iterate` for some rows.

    Its arguments: the frame, the imaginary parts of the rows, and the limit of |z|**2.
    """
    real = F32 if shape.preview else F64
    kind = ir.FunctionType(ir.VoidType(), [real.as_pointer(), real.as_pointer(), real])
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    frame, ys, limit = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    v = Vectors(b, real, shape.lanes)
    vectors = b.bitcast(frame, v.kind.as_pointer())
    for row in range(shape.rows):
        c_im = b.load(b.gep(ys, [ir.Constant(I64, row)]))
        half = b.fmul(c_im, ir.Constant(real, 0.5))
        for part, value in enumerate((c_im, half, limit), start=1):
            place = b.gep(vectors, [ir.Constant(I64, part * shape.rows + row)])
            b.store(v.splat(value), place, align=4)
    b.ret_void()
    return function


def define_iterate(module: ir.Module, name: str, shape: Shape) -> ir.Function:
    """Add the function that iterates one block of pixels.

    Its arguments:

    - the real parts of the block's columns;
    - a frame of `orbits.FRAME_PARTS` times `rows` vectors: room for the real parts, the imaginary parts of
      the rows, half of these, the limit (as `define_prepare` leaves them), and room for results of parked
      pixels;
    - most: max_iterations;
    - free: an n up to which no pixel can have passed the threshold;
    - early: an n before which a look after every second update is worth it;
    - near: an n before which that is allowed, for two updates from CALM_NORM cannot pass the threshold;
    - limit: the threshold's square;
    - where to put |z|**2 and the last index that found |z| within the threshold, both float32, and the
      distance of two rows there, in pixels.

    It returns whether pixels were parked: then the frame has to be prepared anew.
    """
    real = F32 if shape.preview else F64
    kind = ir.FunctionType(I64, [real.as_pointer()] * 2 + [I64] * 4 + [real] + [F32.as_pointer()] * 2 + [I64])
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    for argument in function.args:
        if isinstance(argument.type, ir.PointerType):
            argument.add_attribute("noalias")
    _Block(function, shape).define()
    return function


class _Block:
    """The parts of `define_iterate` and how they follow each other.

    The first parts make the number of updates that are left even, so that all others may do two at a time.
    """

    def __init__(self, function: ir.Function, shape: Shape) -> None:
        self.shape = shape
        (
            self.xs,
            frame,
            self.most,
            self.free,
            self.early,
            self.near,
            self.limit,
            *results,
            stride,
        ) = function.args
        self.b = ir.IRBuilder(function.append_basic_block("entry"))
        self.orbits = Orbits(self.b, shape, frame, (results[0], results[1]), stride)
        self.to = {part: function.append_basic_block(part) for part in _PARTS}

    def define(self) -> None:
        """Write the whole function."""
        self.orbits.begin(self.xs)
        self._define_first()
        self._define_blind()
        self._define_watched()
        self._define_end()

    def _define_first(self) -> None:
        """Write the updates during which no pixel can pass the threshold, and what makes the rest even."""
        b, to, orbits = self.b, self.to, self.orbits
        b.cbranch(self._before(0, self.free), to["sure"], to["unsure"])
        with b.goto_block(to["sure"]):
            b.cbranch(self._odd(), to["sure_odd"], to["pairs"])
        with b.goto_block(to["sure_odd"]):
            b.cbranch(self._before(1, self.free), to["one"], to["enter"])
        with b.goto_block(to["one"]):
            orbits.update(1)
            b.branch(to["pairs"])

        with b.goto_block(to["unsure"]):
            orbits.store_lasts(ir.Constant(F32, 0.0))
            orbits.look()
            b.cbranch(self._before(1, self.most), to["unsure_odd"], to["end"])
        with b.goto_block(to["unsure_odd"]):
            b.cbranch(self._odd(), to["watch_one"], to["watch"])

        with b.goto_block(to["pairs"]):
            b.cbranch(self._before(2, self.free), to["pair"], to["head"])
        with b.goto_block(to["pair"]):
            orbits.update(2)
            b.branch(to["pairs"])

    def _define_blind(self) -> None:
        """Write the updates that need no look at each |z|."""
        b, to, orbits, blind = self.b, self.to, self.orbits, self.shape.blind_updates
        with b.goto_block(to["head"]):
            far = b.and_(b.not_(self._before(1, self.early)), self._before(blind, self.most))
            b.cbranch(far, to["far_update"], to["near"])

        # Two updates cannot pass the threshold from where all pixels are.
        with b.goto_block(to["near"]):
            b.cbranch(self._before(2, self.near), to["near_look"], to["rest"])
        with b.goto_block(to["near_look"]):
            b.cbranch(orbits.any_leaving(), to["enter"], to["near_update"])
        with b.goto_block(to["near_update"]):
            orbits.update(2)
            b.branch(to["head"])

        # Later more updates at once, undone if a pixel passed it. A pixel that has passed never comes back.
        with b.goto_block(to["far_update"]):
            before = orbits.state()
            orbits.update(blind)
            b.cbranch(orbits.any_leaving(), to["far_undo"], to["far_exact"])
        with b.goto_block(to["far_exact"]):
            strict = b.fcmp_ordered("<", self.limit, ir.Constant(orbits.v.real, CALM_NORM))
            b.cbranch(strict, to["far_check"], to["head"])
        with b.goto_block(to["far_check"]):
            limit = orbits.v.splat(self.limit)
            above = [b.fcmp_unordered(">", norm, limit) for norm in map(orbits.norm_of, orbits.rows)]
            b.cbranch(orbits.v.any_of(above), to["far_undo"], to["head"])
        with b.goto_block(to["far_undo"]):
            orbits.undo(blind, before)
            b.branch(to["enter"])
        with b.goto_block(to["rest"]):
            b.cbranch(self._before(1, self.most), to["enter"], to["finish"])

    def _define_watched(self) -> None:
        """Write the updates among which pixels escape."""
        b, to, orbits = self.b, self.to, self.orbits
        # Here no pixel has escaped that is not parked, so the first update needs no look before it.
        with b.goto_block(to["enter"]):
            orbits.store_lasts(b.sitofp(b.load(orbits.n), F32))
            orbits.update(1)
            orbits.look()
            b.cbranch(self._odd(), to["watch_one"], to["enter_even"])
        with b.goto_block(to["enter_even"]):
            b.cbranch(self._before(1, self.most), to["watch"], to["end"])

        for part, updates in (("watch", 2), ("watch_one", 1)):
            with b.goto_block(to[part]):
                orbits.update_watched(updates)
                b.cbranch(self._before(1, self.most), to["watch_any"], to["end"])
        with b.goto_block(to["watch_any"]):
            b.cbranch(orbits.all_escaped(), to["end"], to["watch_room"])
        # If no other pixel is on its way out, those that escaped are parked.
        with b.goto_block(to["watch_room"]):
            blind = b.or_(self._before(self.shape.blind_updates, self.most), self._before(2, self.near))
            b.cbranch(b.and_(b.not_(orbits.any_above(REST_NORM)), blind), to["park"], to["watch"])
        with b.goto_block(to["park"]):
            orbits.park()
            b.branch(to["head"])

    def _define_end(self) -> None:
        b, to, orbits = self.b, self.to, self.orbits
        with b.goto_block(to["finish"]):
            orbits.look()
            orbits.store_lasts(b.sitofp(b.sub(self.most, ir.Constant(I64, 1)), F32))
            b.branch(to["end"])
        with b.goto_block(to["end"]):
            orbits.store_norms()
            b.cbranch(b.load(orbits.parked), to["merge"], to["done"])
        with b.goto_block(to["merge"]):
            orbits.merge()
            b.branch(to["done"])
        with b.goto_block(to["done"]):
            b.ret(b.zext(b.load(orbits.parked), I64))

    def _before(self, updates: int, end: Any) -> Any:
        """Return whether n is at most `end` after so many further updates."""
        return self.b.icmp_signed(
            "<=", self.b.add(self.b.load(self.orbits.n), ir.Constant(I64, updates)), end
        )

    def _odd(self) -> Any:
        """Return whether an odd number of updates is left."""
        return self.b.trunc(self.b.sub(self.most, self.b.load(self.orbits.n)), ir.IntType(1))
