// One function per block layout and direction; what they share is the table at the end. Longer than other sources
// because every type of the format has its own arrangement of bits.
#include "model/gguf_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "model/half_precision.h"

namespace retort::model {
namespace {

using Byte = std::uint8_t;

float half_at(const Byte* bytes) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, bytes, sizeof(bits));
  return from_f16(bits);
}

void put_half(Byte* bytes, float value) {
  const std::uint16_t bits = to_f16(value);
  std::memcpy(bytes, &bits, sizeof(bits));
}

void read_f32(const Byte* block, float* values) {
  std::memcpy(values, block, sizeof(float));
}
void read_f16(const Byte* block, float* values) {
  *values = half_at(block);
}
void read_bf16(const Byte* block, float* values) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, block, sizeof(bits));
  *values = from_bf16(bits);
}

// Types of 32: byte i of the codes holds elements i (low four bits) and i + 16 (high four bits).

void read_q4_0(const Byte* block, float* values) {
  const float d = half_at(block);
  for (int i = 0; i < 16; ++i) {
    values[i] = static_cast<float>((block[2 + i] & 15) - 8) * d;
    values[i + 16] = static_cast<float>((block[2 + i] >> 4) - 8) * d;
  }
}

void read_q4_1(const Byte* block, float* values) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int i = 0; i < 16; ++i) {
    values[i] = static_cast<float>(block[4 + i] & 15) * d + m;
    values[i + 16] = static_cast<float>(block[4 + i] >> 4) * d + m;
  }
}

/// Code i of the 5-bit types: bit i of `high` is its fifth bit.
int five_bits(const Byte* high, const Byte* low, int i) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, high, sizeof(bits));
  const int code = i < 16 ? low[i] & 15 : low[i - 16] >> 4;
  return code | static_cast<int>((bits >> i) & 1U) << 4;
}

void read_q5_0(const Byte* block, float* values) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) values[i] = static_cast<float>(five_bits(block + 2, block + 6, i) - 16) * d;
}

void read_q5_1(const Byte* block, float* values) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int i = 0; i < 32; ++i) values[i] = static_cast<float>(five_bits(block + 4, block + 8, i)) * d + m;
}

void read_q8_0(const Byte* block, float* values) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) values[i] = static_cast<float>(static_cast<std::int8_t>(block[2 + i])) * d;
}

/// Scale and minimum of group j (0…7) of the K types with 4 and 5 bits: 6 bits each, packed into 12 bytes.
struct GroupScale {
  float scale, minimum;
};
GroupScale group_scale(const Byte* packed, int j) {
  if (j < 4) return {static_cast<float>(packed[j] & 63), static_cast<float>(packed[j + 4] & 63)};
  return {static_cast<float>((packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4),
          static_cast<float>((packed[j + 4] >> 4) | (packed[j] >> 6) << 4)};
}

/// Groups 2p and 2p + 1 are the low and the high four bits of 32 bytes.
void read_q4_k(const Byte* block, float* values) {
  const float d = half_at(block), dmin = half_at(block + 2);
  for (int group = 0; group < 8; ++group) {
    const GroupScale s = group_scale(block + 4, group);
    const float scale = d * s.scale, minimum = dmin * s.minimum;
    const Byte* codes = block + 16 + static_cast<std::ptrdiff_t>(group / 2) * 32;
    for (int i = 0; i < 32; ++i) {
      const int code = group % 2 == 0 ? codes[i] & 15 : codes[i] >> 4;
      values[group * 32 + i] = scale * static_cast<float>(code) - minimum;
    }
  }
}

/// As q4_k; bit `group` of byte i of the 32 bytes before the codes is the fifth bit.
void read_q5_k(const Byte* block, float* values) {
  const float d = half_at(block), dmin = half_at(block + 2);
  for (int group = 0; group < 8; ++group) {
    const GroupScale s = group_scale(block + 4, group);
    const float scale = d * s.scale, minimum = dmin * s.minimum;
    const Byte* codes = block + 48 + static_cast<std::ptrdiff_t>(group / 2) * 32;
    for (int i = 0; i < 32; ++i) {
      const int low = group % 2 == 0 ? codes[i] & 15 : codes[i] >> 4;
      const int code = low | ((block[16 + i] >> group) & 1) << 4;
      values[group * 32 + i] = scale * static_cast<float>(code) - minimum;
    }
  }
}

/// 128 bytes of low four bits, 64 of high two, 16 int8 scales, d. Each half of 128 elements: quarter q (32 elements)
/// has its low bits in byte i + 32·(q mod 2), the upper four from q = 2 on, its high bits at 2q of byte i.
void read_q6_k(const Byte* block, float* values) {
  const float d = half_at(block + 208);
  for (int half = 0; half < 2; ++half) {
    const Byte* low = block + static_cast<std::ptrdiff_t>(half) * 64;
    const Byte* high = block + 128 + static_cast<std::ptrdiff_t>(half) * 32;
    const Byte* scales = block + 192 + static_cast<std::ptrdiff_t>(half) * 8;
    for (int quarter = 0; quarter < 4; ++quarter) {
      for (int i = 0; i < 32; ++i) {
        const int byte = low[i + 32 * (quarter % 2)];
        const int code = (quarter < 2 ? byte & 15 : byte >> 4) | ((high[i] >> (2 * quarter)) & 3) << 4;
        const auto scale = static_cast<float>(static_cast<std::int8_t>(scales[quarter * 2 + i / 16]));
        values[half * 128 + quarter * 32 + i] = d * scale * static_cast<float>(code - 32);
      }
    }
  }
}

void write_f32(const float* values, Byte* block) {
  std::memcpy(block, values, sizeof(float));
}
void write_f16(const float* values, Byte* block) {
  put_half(block, *values);
}
void write_bf16(const float* values, Byte* block) {
  const std::uint16_t bits = to_bf16(*values);
  std::memcpy(block, &bits, sizeof(bits));
}

/// Truncates as a C cast does; NaN, which a cast leaves undefined, becomes 0.
int truncated(float value, int least, int greatest) {
  if (std::isnan(value)) return 0;
  return static_cast<int>(std::clamp(value, static_cast<float>(least), static_cast<float>(greatest)));
}

/// d = (the value of greatest magnitude)/−8, so that it, whatever its sign, has the code 0, −8: the range is not
/// symmetric.
void write_q4_0(const float* values, Byte* block) {
  float greatest = 0, extreme = 0;
  for (int i = 0; i < 32; ++i) {
    if (greatest < std::fabs(values[i])) {
      greatest = std::fabs(values[i]);
      extreme = values[i];
    }
  }
  const float d = extreme / -8;
  const float inverse = d != 0 ? 1.0F / d : 0.0F;
  put_half(block, d);
  for (int i = 0; i < 16; ++i) {
    const int low = truncated(values[i] * inverse + 8.5F, 0, 15),
              high = truncated(values[i + 16] * inverse + 8.5F, 0, 15);
    block[2 + i] = static_cast<Byte>(low | high << 4);
  }
}

void write_q4_1(const float* values, Byte* block) {
  const auto [least, greatest] = std::minmax_element(values, values + 32);
  const float m = *least;
  const float d = (*greatest - m) / 15;
  const float inverse = d != 0 ? 1.0F / d : 0.0F;
  put_half(block, d);
  put_half(block + 2, m);
  for (int i = 0; i < 16; ++i) {
    const int low = truncated((values[i] - m) * inverse + 0.5F, 0, 15);
    const int high = truncated((values[i + 16] - m) * inverse + 0.5F, 0, 15);
    block[4 + i] = static_cast<Byte>(low | high << 4);
  }
}

void write_q8_0(const float* values, Byte* block) {
  float greatest = 0;
  for (int i = 0; i < 32; ++i) greatest = std::max(greatest, std::fabs(values[i]));
  const float d = greatest / 127;
  const float inverse = d != 0 ? 1.0F / d : 0.0F;
  put_half(block, d);
  for (int i = 0; i < 32; ++i) {
    const int code = truncated(std::round(values[i] * inverse), -128, 127);
    block[2 + i] = static_cast<Byte>(static_cast<std::int8_t>(code));
  }
}

struct Layout {
  GgmlType type;
  const char* name;
  std::size_t elements, bytes;
  void (*read)(const Byte* block, float* values);
  void (*write)(const float* values, Byte* block);  ///< null: only read
};

constexpr std::array<Layout, 11> layouts = {{
    {GgmlType::f32, "F32", 1, 4, read_f32, write_f32},
    {GgmlType::f16, "F16", 1, 2, read_f16, write_f16},
    {GgmlType::q4_0, "Q4_0", 32, 18, read_q4_0, write_q4_0},
    {GgmlType::q4_1, "Q4_1", 32, 20, read_q4_1, write_q4_1},
    {GgmlType::q5_0, "Q5_0", 32, 22, read_q5_0, nullptr},
    {GgmlType::q5_1, "Q5_1", 32, 24, read_q5_1, nullptr},
    {GgmlType::q8_0, "Q8_0", 32, 34, read_q8_0, write_q8_0},
    {GgmlType::q4_k, "Q4_K", 256, 144, read_q4_k, nullptr},
    {GgmlType::q5_k, "Q5_K", 256, 176, read_q5_k, nullptr},
    {GgmlType::q6_k, "Q6_K", 256, 210, read_q6_k, nullptr},
    {GgmlType::bf16, "BF16", 1, 2, read_bf16, write_bf16},
}};

const Layout& layout_of(GgmlType type) {
  for (const Layout& layout : layouts)
    if (layout.type == type) return layout;
  throw std::invalid_argument("GgmlType: expected one of its names, found " +
                              std::to_string(static_cast<std::uint32_t>(type)));
}

}  // namespace

std::optional<GgmlType> ggml_type(std::uint32_t number) {
  for (const Layout& layout : layouts)
    if (static_cast<std::uint32_t>(layout.type) == number) return layout.type;
  return std::nullopt;
}

const char* name_of(GgmlType type) {
  return layout_of(type).name;
}

std::string ggml_type_name(std::uint32_t number) {
  if (const auto type = ggml_type(number)) return name_of(*type);
  static constexpr std::array<const char*, 31> others = {
      "",      "",       "",   "",    "",     "",        "",       "",        "",      "Q8_1",   "Q2_K",
      "Q3_K",  "",       "",   "",    "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S",
      "IQ2_S", "IQ4_XS", "I8", "I16", "I32",  "I64",     "F64",    "IQ1_M",   ""};
  if (number < others.size() && *others[number] != '\0') return others[number];
  return "type " + std::to_string(number);
}

std::size_t block_elements(GgmlType type) {
  return layout_of(type).elements;
}

std::size_t block_bytes(GgmlType type) {
  return layout_of(type).bytes;
}

bool can_quantise(GgmlType type) {
  return layout_of(type).write != nullptr;
}

std::size_t ggml_bytes(GgmlType type, std::size_t elements) {
  const Layout& layout = layout_of(type);
  return elements / layout.elements * layout.bytes;
}

void dequantise(GgmlType type, const std::byte* blocks, std::span<float> values) {
  if (type == GgmlType::f32) {
    if (!values.empty()) std::memcpy(values.data(), blocks, values.size_bytes());
    return;
  }
  const Layout& layout = layout_of(type);
  const auto* block = reinterpret_cast<const Byte*>(blocks);
  for (std::size_t i = 0; i < values.size(); i += layout.elements, block += layout.bytes)
    layout.read(block, values.data() + i);
}

void quantise(GgmlType type, std::span<const float> values, std::byte* blocks) {
  const Layout& layout = layout_of(type);
  if (layout.write == nullptr)
    throw std::invalid_argument(std::string("expected a type that can be written (F32, F16, BF16, Q8_0, Q4_0, Q4_1), "
                                            "found ") +
                                layout.name);
  auto* block = reinterpret_cast<Byte*>(blocks);
  for (std::size_t i = 0; i < values.size(); i += layout.elements, block += layout.bytes)
    layout.write(values.data() + i, block);
}

}  // namespace retort::model
