// teacher.replay: answers that were recorded, found by the hash of their request; what is not there is asked of the
// teacher in the slot, if there is one, and recorded.
#include <memory>
#include <optional>
#include <retort/host_storage.hpp>
#include <retort/plugin.hpp>
#include <retort/teacher.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "answer_store.h"

namespace {

using nlohmann::json;

class ReplayTeacher final : public retort::Teacher {
 public:
  struct Params {
    std::string store = "run";
    std::string identity;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("store", &Params::store)
        .doc(
            "folder with answers.jsonl, or run: that of this run. Lines {\"request\": chat request with its tools, "
            "\"answer\": item} may be written by hand")
        .string("identity", &Params::identity)
        .doc(
            "who answers and how, part of every hash: change it with the model and the settings of the teacher within. "
            "Empty, without a teacher within: the only one that the store names");
  }
  static const retort::SlotList& slots() {
    static const retort::SlotList list = retort::SlotList().add(
        "teacher", RETORT_TEACHER_INTERFACE, "who is asked for what is not recorded", RETORT_SLOT_OPTIONAL);
    return list;
  }
  ReplayTeacher(Params params, const retort::Slots& slots) : params_(std::move(params)) {
    if (const auto component = slots.find("teacher")) teacher_.emplace(*component);
  }

  void complete(const retort::TeacherBatch& batch, const retort::ItemSink& responses) override {
    const json tools = batch.tools.empty() ? json::array() : json::parse(batch.tools, nullptr, false);
    const json requests = json::parse(batch.requests, nullptr, false);
    if (!requests.is_array() || !tools.is_array())
      throw std::invalid_argument("teacher.replay: expected JSON arrays of requests and tools");
    const std::string identity = who_answers();
    std::vector<Missing> missing;
    std::string asked = "[";
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const std::string key = key_of(requests[i], tools, identity);
      if (auto known = store() != nullptr ? store()->find(key) : std::nullopt) {
        (*known)["cost"] = {{"requests", 0}, {"input_tokens", 0}, {"output_tokens", 0}, {"usd", 0.0}, {"cached", true}};
        responses.item(i, dump(*known));
      } else if (!teacher_) {
        responses.item(i, dump({{"error", "no answer is recorded for this request (hash " + key + ")"}}));
      } else {
        asked += (missing.empty() ? "" : ",") + dump(requests[i]);
        missing.push_back({i, key});
      }
    }
    if (missing.empty()) return;
    teacher_->complete({batch.tools, asked + "]"}, [&](std::uint64_t index, std::string_view text) {
      keep(missing.at(index).key, json::parse(text, nullptr, false));
      responses.item(missing.at(index).place, text);
    });
    if (store() != nullptr) store()->sync();
  }

 private:
  struct Missing {
    std::uint64_t place;
    std::string key;
  };

  static std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

  /// The store's own identity where nobody says one and nobody can answer anew.
  std::string who_answers() {
    if (teacher_ || !params_.identity.empty() || store() == nullptr) return params_.identity;
    const std::set<std::string> known = store()->identities();
    if (known.empty()) return "";
    if (known.size() > 1) {
      std::string names;
      for (const std::string& one : known)
        names += (names.empty() ? "" : ", ") + (one.empty() ? "none" : '"' + one + '"');
      throw std::runtime_error("teacher.replay: the store '" + params_.store +
                               "' holds answers of several identities (" + names + "): name one with \"identity\"");
    }
    if (!std::exchange(said_, true) && !known.begin()->empty())
      retort::log_info("teacher.replay: takes the store's only identity, \"" + *known.begin() + "\"");
    return *known.begin();
  }

  static std::string key_of(json request, const json& tools, const std::string& identity) {
    if (request.is_object()) {
      request.erase("recorded");
      if (request.value("sample", json()) == 0) request.erase("sample");
      if (!request.contains("tools") && !tools.empty()) request["tools"] = tools;
      if (!identity.empty()) request["identity"] = identity;
    }
    return retort::teacher::request_key(request);
  }

  void keep(const std::string& key, json answer) {
    if (!answer.is_object() || answer.contains("error") || store() == nullptr) return;
    answer.erase("cost");
    store()->name(params_.identity);
    store()->add(key, answer);
  }

  /// Opened when it is first used: only then is a run under way. Without a run, "run" holds nothing.
  retort::teacher::AnswerStore* store() {
    if (store_) return store_.get();
    const std::string folder = params_.store == "run" ? retort::run_storage("answers").value_or("") : params_.store;
    if (!folder.empty()) store_ = retort::teacher::shared_store(folder);
    return store_.get();
  }

  Params params_;
  std::optional<retort::TeacherSlot> teacher_;
  std::shared_ptr<retort::teacher::AnswerStore> store_;
  bool said_ = false;
};

}  // namespace

RETORT_PLUGIN(ReplayTeacher, "teacher.replay", "1.1.0", "recorded answers by the hash of their request");
