// The header is a Python dictionary literal with the keys descr, fortran_order and shape; only that shape of a
// dictionary is accepted.
#include "npy.h"

#include "tool_error.h"

#include <charconv>
#include <cstring>
#include <fstream>

namespace moert::tools {

struct TypeName {
  uint32_t elementType;
  const char *descr;
};
static constexpr TypeName typeNames[] = {
    {MOERT_F32, "<f4"},
    {MOERT_F64, "<f8"},
    {MOERT_F16, "<f2"},
    {MOERT_BF16, "|V2"},
    {MOERT_I8, "|i1"},
    {MOERT_I16, "<i2"},
    {MOERT_I32, "<i4"},
    {MOERT_I64, "<i8"},
    {MOERT_U8, "|u1"},
    {MOERT_U16, "<u2"},
    {MOERT_U32, "<u4"},
    {MOERT_U64, "<u8"},
    {MOERT_BOOL, "|b1"},
    // What numpy lacks: floats as bytes without a type, integers as those of a byte.
    {MOERT_F8E4M3FN, "|V1"},
    {MOERT_F8E4M3FNUZ, "|V1"},
    {MOERT_F8E5M2, "|V1"},
    {MOERT_F8E5M2FNUZ, "|V1"},
    {MOERT_F8E8M0FNU, "|V1"},
    {MOERT_F4E2M1FN, "|V1"},
    {MOERT_I4, "|i1"},
    {MOERT_I2, "|i1"},
    {MOERT_U4, "|u1"},
    {MOERT_U2, "|u1"},
};

static std::string_view getDescr(uint32_t elementType) {
  for (const TypeName &type : typeNames)
    if (type.elementType == elementType)
      return type.descr;
  throw ToolError("element type " + std::to_string(elementType) + " has no .npy form");
}

namespace {

struct Header {
  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;
};

class HeaderParser {
public:
  HeaderParser(std::string_view text, std::string path) : rest(text), path(std::move(path)) {}

  Header parse() {
    Header header;
    expect('{');
    while (!accept('}')) {
      const std::string key = parseString();
      expect(':');
      if (key == "descr")
        header.descr = parseString();
      else if (key == "fortran_order")
        header.fortranOrder = parseBool();
      else if (key == "shape")
        header.shape = parseShape();
      else
        fail("unknown key '" + key + "'");
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (header.descr.empty())
      fail("no element type");
    return header;
  }

private:
  [[noreturn]] void fail(const std::string &what) const { throw ToolError(path + ": not a usable .npy file: " + what); }
  void skipSpace() {
    while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\n'))
      rest.remove_prefix(1);
  }
  bool accept(char wanted) {
    skipSpace();
    if (rest.empty() || rest[0] != wanted)
      return false;
    rest.remove_prefix(1);
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted))
      fail(std::string("expected '") + wanted + "' in the header");
  }
  std::string parseString() {
    const char quote = accept('\'') ? '\'' : accept('"') ? '"' : '\0';
    const size_t end = quote ? rest.find(quote) : rest.npos;
    if (end == rest.npos)
      fail("expected a string in the header (structured types are not supported)");
    std::string text(rest.substr(0, end));
    rest.remove_prefix(end + 1);
    return text;
  }
  bool parseBool() {
    skipSpace();
    for (const auto &[word, truth] : {std::pair<std::string_view, bool>("True", true), {"False", false}})
      if (rest.substr(0, word.size()) == word) {
        rest.remove_prefix(word.size());
        return truth;
      }
    fail("expected True or False in the header");
  }
  std::vector<int64_t> parseShape() {
    std::vector<int64_t> shape;
    expect('(');
    while (!accept(')')) {
      skipSpace();
      int64_t dim = 0;
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), dim);
      if (error != std::errc() || dim < 0 || shape.size() >= MOERT_MAX_RANK)
        fail("bad shape in the header");
      rest.remove_prefix(static_cast<size_t>(end - rest.data()));
      shape.push_back(dim);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }

  std::string_view rest;
  std::string path;
};

} // namespace

static std::string readHeaderText(std::ifstream &file, const std::string &path) {
  char start[12] = {};
  file.read(start, 8);
  if (!file || std::memcmp(start, "\x93NUMPY", 6) != 0)
    throw ToolError(path + ": not a .npy file");
  const int version = start[6];
  if (version < 1 || version > 3)
    throw ToolError(path + ": .npy version " + std::to_string(version) + ", expected 1 to 3");
  unsigned char length[4] = {};
  file.read(reinterpret_cast<char *>(length), version == 1 ? 2 : 4);
  const uint32_t size = length[0] | length[1] << 8 | length[2] << 16 | uint32_t(length[3]) << 24;
  if (!file || size > 1 << 20)
    throw ToolError(path + ": not a usable .npy file: bad header length");
  std::string text(size, '\0');
  if (!file.read(text.data(), size))
    throw ToolError(path + ": truncated in the header");
  return text;
}

static bool isSameType(std::string_view found, uint32_t elementType) {
  const std::string_view wanted = getDescr(elementType);
  if (found == wanted)
    return true;
  const bool isVoid = found.size() == 3 && found[1] == 'V';
  // "=" and "|" are how numpy may write the order of this machine and of single bytes.
  return (isVoid || (found.size() == 3 && found[1] == wanted[1] && (found[0] == '=' || wanted[0] == '|'))) &&
         found.size() == 3 && found[2] == wanted[2];
}

Tensor readNpy(const std::string &path, uint32_t elementType, const std::string &name) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw ToolError("cannot open '" + path + "' for input '" + name + "'");
  const Header header = HeaderParser(readHeaderText(file, path), path).parse();
  if (!isSameType(header.descr, elementType))
    throw ToolError(path + ": element type '" + header.descr + "', expected '" + std::string(getDescr(elementType)) +
                    "' for input '" + name + "'");
  if (header.fortranOrder)
    throw ToolError(path + ": elements are in Fortran order, expected C order");
  const auto begin = file.tellg();
  const uint64_t available = static_cast<uint64_t>(file.seekg(0, std::ios::end).tellg() - begin);
  file.seekg(begin);
  Tensor tensor{elementType, header.shape, {}};
  uint64_t expected = moert_element_type_size(elementType);
  for (int64_t dim : tensor.dims)
    expected = dim && expected > available / static_cast<uint64_t>(dim) + 1 ? available + 1
                                                                            : expected * static_cast<uint64_t>(dim);
  if (expected != available)
    throw ToolError(path + ": " + std::to_string(available) + " bytes of elements do not fit the shape in its header");
  resize(tensor);
  if (!file.read(reinterpret_cast<char *>(tensor.bytes.data()), static_cast<std::streamsize>(tensor.bytes.size())))
    throw ToolError(path + ": cannot be read");
  return tensor;
}

void writeNpy(const std::string &path, const moert_tensor_view_t &view) {
  std::string header =
      "{'descr': '" + std::string(getDescr(view.element_type)) + "', 'fortran_order': False, 'shape': (";
  for (uint32_t i = 0; i < view.rank; ++i)
    header += std::to_string(view.dims[i]) + (view.rank == 1 ? "," : i + 1 < view.rank ? ", " : "");
  header += "), }";
  constexpr size_t alignment = 64, prefix = 10;
  header.append(alignment - (prefix + header.size() + 1) % alignment, ' ');
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  file.write("\x93NUMPY\x01\x00", 8);
  const char length[2] = {static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  file.write(length, 2).write(header.data(), static_cast<std::streamsize>(header.size()));
  file.write(static_cast<const char *>(view.data), static_cast<std::streamsize>(view.byte_size));
  file.close();
  if (!file)
    throw ToolError("cannot write '" + path + "'");
}

} // namespace moert::tools
