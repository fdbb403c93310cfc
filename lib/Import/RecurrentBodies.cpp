//===- RecurrentBodies.cpp - RNN, GRU and LSTM as Scan --------------------------===//
//
// Per direction: the products with the inputs of all steps at once, then a Scan over the steps with the products with
// the state. A backward direction scans from the end. Behind the end of a sequence the state stays and the output is 0.
//
//===----------------------------------------------------------------------===//

#include "OperatorBodies.h"

using namespace moec::reader;

namespace {

/// What the three operators share; `gates` is how many matrices W and R stack.
class RecurrentWriter {
public:
  RecurrentWriter(const BodyRequest &request, BodyText &text, int gates)
      : request(request), text(text), gates(gates), hasLengths(request.has(4)), size(request.extent(2, 2)),
        isBatchFirst(request.integer("layout", 0) != 0) {
    std::string direction = request.string("direction", "forward");
    isReverse = {direction == "reverse"};
    if (direction == "bidirectional")
      isReverse = {false, true};
  }

  /// Whether the form has a body: known sizes, no clipping, these activations for each direction.
  bool isTaken(const std::vector<std::string> &activations) const {
    std::vector<std::string> given = request.strings("activations"), expected;
    for (size_t i = 0; i < isReverse.size(); ++i)
      expected.insert(expected.end(), activations.begin(), activations.end());
    return size > 0 && request.rank(0) == 3 && !request.hasAttribute("clip") &&
           request.integer("input_forget", 0) == 0 && (given.empty() || given == expected);
  }

  /// Input `index`, by its name, of the direction.
  std::string ofDirection(const std::string &name, size_t direction, int axis = 0) {
    return text.add("Gather <axis = " + std::to_string(axis) + "> (" + name + ", " + text.integer(direction) + ")");
  }
  std::string transposed(const std::string &matrix) { return text.add("Transpose <perm = [1, 0]> (" + matrix + ")"); }
  /// The parts of `x`, [parts * size] along `axis`.
  std::vector<std::string> split(const std::string &x, int parts, int axis) {
    std::vector<std::string> names;
    std::string list;
    for (int i = 0; i < parts; ++i) {
      names.push_back(x + "_" + std::to_string(i));
      list += (i ? ", " : "") + names.back();
    }
    text.set(list, "Split <axis = " + std::to_string(axis) + "> (" + x + ", " +
                       text.ints(std::vector<int64_t>(parts, size)) + ")");
    return names;
  }

  /// X as [steps, batch, features].
  void begin() {
    steps = isBatchFirst ? text.add("Transpose <perm = [1, 0, 2]> (X)") : text.add("Identity (X)");
    std::string shape = text.add("Shape (" + steps + ")");
    std::string batch = text.add("Slice (" + shape + ", " + text.ints({1}) + ", " + text.ints({2}) + ")");
    zeroState = text.add("Expand (" + text.real(0, request.elementType(0)) + ", " +
                         text.add("Concat <axis = 0> (" + batch + ", " + text.ints({size}) + ")") + ")");
    if (!hasLengths)
      return;
    std::string count = text.add("Gather (" + shape + ", " + text.integer(0) + ")");
    times = text.add("Range (" + text.integer(0) + ", " + count + ", " + text.integer(1) + ")");
    lengths = text.along(text.add("Cast <to = 7> (sequence_lens)"), 0, 2);
  }
  std::string initial(const std::string &name, int input, size_t direction) {
    return request.has(input) ? ofDirection(name, direction, isBatchFirst ? 1 : 0) : zeroState;
  }
  /// The biases of a direction: of the products with inputs, and of those with states.
  std::vector<std::string> biases(size_t direction) { return split2(ofDirection("B", direction)); }
  /// The products with the inputs of all steps.
  std::string inputProducts(size_t direction) {
    return text.add("MatMul (" + steps + ", " + transposed(ofDirection("W", direction)) + ")");
  }

  /// These with both biases, if there are any, added.
  std::string biasedInputProducts(size_t direction) {
    std::string products = inputProducts(direction);
    if (request.has(3))
      for (const std::string &bias : biases(direction))
        products = text.add("Add (" + products + ", " + bias + ")");
    return products;
  }

  /// Scans `step`, which computes `h_new` (and `c_new`) from `h` (and `c`) and `x`.
  void scan(size_t direction, const std::string &products, const std::vector<std::string> &initials,
            const std::string &step) {
    bool hasCell = initials.size() > 1;
    std::string suffix = std::to_string(direction), reversed = isReverse[direction] ? "1" : "0";
    std::string inputs = hasCell ? "h, c, x" : "h, x",
                values = hasCell ? initials[0] + ", " + initials[1] : initials[0];
    std::string body = step, scanned = products;
    if (hasLengths) {
      inputs += ", time";
      scanned += ", " + times;
      body += "  isInside = Less (time, " + lengths + ")\n  zero = Sub (h, h)\n";
      body += "  h_next = Where (isInside, h_new, h)\n  y = Where (isInside, h_new, zero)\n";
      body += hasCell ? "  c_next = Where (isInside, c_new, c)\n" : "";
    } else {
      body += "  h_next = Identity (h_new)\n  y = Identity (h_new)\n";
      body += hasCell ? "  c_next = Identity (c_new)\n" : "";
    }
    std::string direct = hasLengths ? "[" + reversed + ", " + reversed + "]" : "[" + reversed + "]";
    std::string results = hasCell ? "last_" + suffix + ", cell_" + suffix : "last_" + suffix;
    std::string all = "open_" + suffix;
    text.set(results + ", " + all,
             "Scan <num_scan_inputs = " + std::string(hasLengths ? "2" : "1") + ", scan_input_directions = " + direct +
                 ", scan_output_directions = [" + reversed + "], body = step (" + inputs + ") => (h_next, " +
                 (hasCell ? "c_next, " : "") + "y) {\n" + body + "}> (" + values + ", " + scanned + ")");
    // Their shape is told, since inference may leave it open.
    std::string extents = text.add("Slice (" + text.add("Shape (" + products + ")") + ", " + text.ints({0}) + ", " +
                                   text.ints({2}) + ")");
    std::string shape = text.add("Concat <axis = 0> (" + extents + ", " + text.ints({size}) + ")");
    text.set("all_" + suffix, "Reshape (" + all + ", " + shape + ")");
  }

  /// The directions side by side.
  void end(bool hasCell) {
    text.set("Y", together("all_", isBatchFirst ? 2 : 1, isBatchFirst ? "Transpose <perm = [1, 0, 2]>" : "Identity"));
    text.set("Y_h", together("last_", isBatchFirst ? 1 : 0, "Identity"));
    if (hasCell)
      text.set("Y_c", together("cell_", isBatchFirst ? 1 : 0, "Identity"));
  }

  size_t directions() const { return isReverse.size(); }
  const BodyRequest &request;
  BodyText &text;

private:
  std::vector<std::string> split2(const std::string &both) {
    text.set(both + "_w, " + both + "_r",
             "Split <axis = 0> (" + both + ", " + text.ints({gates * size, gates * size}) + ")");
    return {both + "_w", both + "_r"};
  }
  std::string together(const std::string &prefix, int axis, const std::string &change) {
    std::string list;
    for (size_t i = 0; i < isReverse.size(); ++i) {
      std::string value = text.add(change + " (" + prefix + std::to_string(i) + ")");
      list += (i ? ", " : "") + text.add("Unsqueeze (" + value + ", " + text.ints({axis}) + ")");
    }
    return "Concat <axis = " + std::to_string(axis) + "> (" + list + ")";
  }

  int gates;
  bool hasLengths;
  int64_t size;
  bool isBatchFirst;
  std::vector<bool> isReverse;
  std::string steps, zeroState, times, lengths;
};

} // namespace

bool moec::reader::writeRnn(const BodyRequest &request, BodyText &text) {
  RecurrentWriter writer(request, text, 1);
  std::vector<std::string> activations = request.strings("activations");
  std::string activation = activations.empty() ? "Tanh" : activations.front();
  if ((activation != "Tanh" && activation != "Relu" && activation != "Sigmoid") || !writer.isTaken({activation}))
    return false;
  writer.begin();
  for (size_t direction = 0; direction < writer.directions(); ++direction) {
    std::string products = writer.biasedInputProducts(direction);
    std::string r = writer.transposed(writer.ofDirection("R", direction));
    writer.scan(direction, products, {writer.initial("initial_h", 5, direction)},
                "  hr = MatMul (h, " + r + ")\n  sum = Add (x, hr)\n  h_new = " + activation + " (sum)\n");
  }
  writer.end(/*hasCell=*/false);
  return true;
}

bool moec::reader::writeGru(const BodyRequest &request, BodyText &text) {
  RecurrentWriter writer(request, text, 3);
  if (!writer.isTaken({"Sigmoid", "Tanh"}))
    return false;
  bool resetsProduct = request.integer("linear_before_reset", 0) != 0;
  writer.begin();
  std::string one = text.real(1, request.elementType(0));
  for (size_t direction = 0; direction < writer.directions(); ++direction) {
    std::vector<std::string> x = writer.split(writer.inputProducts(direction), 3, 2);
    std::vector<std::string> r = writer.split(text.add("Identity (" + writer.ofDirection("R", direction) + ")"), 3, 0);
    std::string stateBias;
    if (request.has(3)) {
      std::vector<std::string> both = writer.biases(direction);
      std::vector<std::string> ofInput = writer.split(both[0], 3, 0), ofState = writer.split(both[1], 3, 0);
      for (int gate = 0; gate < 3; ++gate) {
        x[gate] = text.add("Add (" + x[gate] + ", " + ofInput[gate] + ")");
        if (gate < 2 || !resetsProduct)
          x[gate] = text.add("Add (" + x[gate] + ", " + ofState[gate] + ")");
      }
      stateBias = resetsProduct ? ofState[2] : "";
    }
    std::string products = text.add("Concat <axis = 2> (" + x[0] + ", " + x[1] + ", " + x[2] + ")");
    std::string sizes = text.ints(std::vector<int64_t>(3, request.extent(2, 2)));
    std::string step = "  xz, xr, xh = Split <axis = 1> (x, " + sizes + ")\n";
    for (const char *gate : {"z", "r"}) {
      std::string name = gate;
      step += "  h" + name + " = MatMul (h, " + writer.transposed(r[name == "z" ? 0 : 1]) + ")\n";
      step += "  s" + name + " = Add (x" + name + ", h" + name + ")\n  " + name + " = Sigmoid (s" + name + ")\n";
    }
    std::string last = writer.transposed(r[2]);
    if (resetsProduct) {
      step += "  hh = MatMul (h, " + last + ")\n";
      step += stateBias.empty() ? "  hb = Identity (hh)\n" : "  hb = Add (hh, " + stateBias + ")\n";
      step += "  rh = Mul (r, hb)\n";
    } else {
      step += "  reset = Mul (r, h)\n  rh = MatMul (reset, " + last + ")\n";
    }
    step += "  sh = Add (xh, rh)\n  n = Tanh (sh)\n  keep = Sub (" + one + ", z)\n  new = Mul (keep, n)\n";
    step += "  old = Mul (z, h)\n  h_new = Add (new, old)\n";
    writer.scan(direction, products, {writer.initial("initial_h", 5, direction)}, step);
  }
  writer.end(/*hasCell=*/false);
  return true;
}

bool moec::reader::writeLstm(const BodyRequest &request, BodyText &text) {
  RecurrentWriter writer(request, text, 4);
  if (!writer.isTaken({"Sigmoid", "Tanh", "Tanh"}))
    return false;
  writer.begin();
  for (size_t direction = 0; direction < writer.directions(); ++direction) {
    std::string products = writer.biasedInputProducts(direction);
    std::string r = writer.transposed(writer.ofDirection("R", direction));
    std::string sizes = text.ints(std::vector<int64_t>(4, request.extent(2, 2)));
    std::string step = "  hr = MatMul (h, " + r + ")\n  gates = Add (x, hr)\n";
    step += "  gi, go, gf, gc = Split <axis = 1> (gates, " + sizes + ")\n";
    // Peepholes of the input, output and forget gate look at the cell; the output's at the new one.
    std::vector<std::string> peepholes;
    if (request.has(7))
      peepholes = writer.split(text.add("Identity (" + writer.ofDirection("P", direction) + ")"), 3, 0);
    auto gate = [&](const std::string &name, int peephole, const std::string &cell) {
      std::string sum = "g" + name;
      if (!peepholes.empty()) {
        step += "  p" + name + " = Mul (" + peepholes[peephole] + ", " + cell + ")\n";
        step += "  s" + name + " = Add (g" + name + ", p" + name + ")\n";
        sum = "s" + name;
      }
      step += "  " + name + " = Sigmoid (" + sum + ")\n";
    };
    gate("i", 0, "c");
    gate("f", 2, "c");
    step += "  n = Tanh (gc)\n  kept = Mul (f, c)\n  added = Mul (i, n)\n  c_new = Add (kept, added)\n";
    gate("o", 1, "c_new");
    step += "  shown = Tanh (c_new)\n  h_new = Mul (o, shown)\n";
    writer.scan(direction, products,
                {writer.initial("initial_h", 5, direction), writer.initial("initial_c", 6, direction)}, step);
  }
  writer.end(/*hasCell=*/true);
  return true;
}
