#include "train/sequences.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "host/base/files.h"

namespace retort::train {

SeededSequence::SeededSequence(std::uint64_t seed, std::uint64_t stream)
    : state_(seed * 0x9E3779B97F4A7C15ULL ^ (stream + 1) * 0xD1B54A32D192ED03ULL) {
  next();
}

std::uint64_t SeededSequence::next() {
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

std::uint64_t SeededSequence::below(std::uint64_t bound) {
  const std::uint64_t limit = std::numeric_limits<std::uint64_t>::max() / bound * bound;  // rejects the uneven rest
  std::uint64_t value = next();
  while (value >= limit) value = next();
  return value % bound;
}

float Sequence::weight(std::size_t token) const {
  if (!mask.empty()) return mask[token];
  return token >= prompt.size() && token > 0 ? 1.0F : 0.0F;
}

double Sequence::label_weight() const {
  double total = 0;
  for (std::size_t i = 0; i < length(); ++i) total += static_cast<double>(weight(i));
  for (const text::TokenId tag : tags) total += tag < 0 ? 0 : static_cast<double>(tag_weight);
  return total;
}

std::vector<float> token_mask(std::size_t prompt, std::size_t response, double prompt_weight) {
  if (prompt_weight == 0) return {};
  std::vector<float> mask(prompt + response, 1.0F);
  std::fill_n(mask.begin(), prompt, static_cast<float>(prompt_weight));
  if (!mask.empty()) mask.front() = 0;
  return mask;
}

nlohmann::json to_json(const Sequence& sequence) {
  nlohmann::json stored = {{"prompt", sequence.prompt}, {"response", sequence.response}, {"example", sequence.example}};
  if (!sequence.mask.empty()) stored["mask"] = sequence.mask;
  return stored;
}

Sequence sequence_from_json(const nlohmann::json& stored) {
  Sequence sequence;
  sequence.prompt = stored.at("prompt").get<std::vector<text::TokenId>>();
  sequence.response = stored.at("response").get<std::vector<text::TokenId>>();
  sequence.example = stored.at("example");
  if (stored.contains("mask")) sequence.mask = stored["mask"].get<std::vector<float>>();
  return sequence;
}

std::string sequence_hash(const std::vector<text::TokenId>& prompt, const std::vector<text::TokenId>& response) {
  std::string text;
  const auto append = [&](const std::vector<text::TokenId>& ids) {
    for (std::size_t i = 0; i < ids.size(); ++i) text += (i > 0 ? " " : "") + std::to_string(ids[i]);
  };
  append(prompt);
  text += '|';
  append(response);
  return host::sha256(text);
}

Sequence to_sequence(const task::Example& example, const task::PromptContract& contract,
                     const text::Tokenizer& tokenizer, double prompt_weight) {
  Sequence sequence;
  sequence.prompt = contract.prompt(tokenizer, example);
  if (example.calls) sequence.response = contract.response(tokenizer, example, task::answer_of(example));
  sequence.mask = token_mask(sequence.prompt.size(), sequence.response.size(), prompt_weight);
  sequence.hash = sequence_hash(sequence.prompt, sequence.response);
  return sequence;
}

std::vector<Sequence> to_sequences(const std::vector<task::Example>& examples, const task::PromptContract& contract,
                                   const text::Tokenizer& tokenizer, std::int64_t max_length) {
  std::vector<Sequence> sequences;
  sequences.reserve(examples.size());
  for (std::size_t i = 0; i < examples.size(); ++i) {
    Sequence sequence = to_sequence(examples[i], contract, tokenizer);
    sequence.example = i;
    if (static_cast<std::int64_t>(sequence.length()) > max_length)
      throw std::invalid_argument("example " + std::to_string(i + 1) + " (\"" + examples[i].utterance() + "\") has " +
                                  std::to_string(sequence.length()) + " tokens, the model holds " +
                                  std::to_string(max_length) + ": raise max_positions or leave the example out");
    sequences.push_back(std::move(sequence));
  }
  return sequences;
}

nlohmann::json described(const std::vector<Sequence>& sequences, const std::vector<std::size_t>& chosen,
                         const text::Tokenizer& tokenizer) {
  nlohmann::json rows = nlohmann::json::array();
  for (const std::size_t i : chosen)
    rows.push_back({{"row", sequences[i].example},
                    {"hash", sequences[i].hash},
                    {"prompt", tokenizer.decode(sequences[i].prompt, true)},
                    {"response", tokenizer.decode(sequences[i].response, true)}});
  return rows;
}

namespace {

template <typename Item>
void shuffle(std::vector<Item>& items, SeededSequence& random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

}  // namespace

std::vector<std::vector<std::size_t>> batch_plan(const std::vector<std::size_t>& lengths, std::int64_t batch_size,
                                                 std::uint64_t seed, std::int64_t epoch) {
  constexpr std::size_t batches_sorted_together = 16;  // enough to pad little, few enough to mix well
  SeededSequence random(seed, static_cast<std::uint64_t>(epoch));
  std::vector<std::size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  shuffle(order, random);

  const auto batch = static_cast<std::size_t>(batch_size);
  std::vector<std::vector<std::size_t>> plan;
  for (std::size_t begin = 0; begin < order.size(); begin += batch * batches_sorted_together) {
    const std::size_t end = std::min(order.size(), begin + batch * batches_sorted_together);
    std::stable_sort(order.begin() + static_cast<std::ptrdiff_t>(begin),
                     order.begin() + static_cast<std::ptrdiff_t>(end),
                     [&](std::size_t a, std::size_t b) { return lengths[a] < lengths[b]; });
    for (std::size_t first = begin; first < end; first += batch)
      plan.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(first),
                        order.begin() + static_cast<std::ptrdiff_t>(std::min(end, first + batch)));
  }
  shuffle(plan, random);
  return plan;
}

}  // namespace retort::train
