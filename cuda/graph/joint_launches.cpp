#include "graph/joint_launches.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "backend/error.h"

namespace nativegrad::cuda {

namespace {

constexpr size_t list_alignment = 256;
constexpr int64_t most_planes = 65535;

}  // namespace

JointLaunches::JointLaunches(std::vector<std::vector<LaunchNote>> notes) : notes_(std::move(notes)) {
    const auto& first = notes_.front();
    for (const auto& list : notes_) {
        if (list.size() != first.size())
            throw Error(Status::internal, "the steps of the models consist of other launches");
    }
    for (size_t i = 0; i < first.size(); ++i) {
        steps_.push_back({argument_bytes_, is_joint(i)});
        if (!steps_.back().is_joint) continue;
        const size_t bytes = notes_.size() * first[i].kernel->argument_bytes;
        argument_bytes_ += (bytes + list_alignment - 1) / list_alignment * list_alignment;
    }
}

bool JointLaunches::is_joint(size_t i) const {
    const LaunchNote& first = notes_.front()[i];
    if (first.kernel == nullptr || joint_grid(i).blocks.z > most_planes) return false;
    return std::all_of(notes_.begin(), notes_.end(), [&](const std::vector<LaunchNote>& list) {
        return list[i].kernel == first.kernel && list[i].grid == first.grid;
    });
}

Grid JointLaunches::joint_grid(size_t i) const {
    Grid grid = notes_.front()[i].grid;
    grid.blocks.z *= static_cast<int64_t>(notes_.size());
    return grid;
}

void JointLaunches::write_arguments(char* to, const char* device) {
    arguments_ = device;
    for (size_t i = 0; i < steps_.size(); ++i) {
        if (!steps_[i].is_joint) continue;
        char* at = to + steps_[i].offset;
        for (const auto& list : notes_) {
            std::memcpy(at, list[i].arguments.data(), list[i].arguments.size());
            at += list[i].arguments.size();
        }
    }
}

void JointLaunches::load() const {
    for (size_t i = 0; i < steps_.size(); ++i) {
        if (steps_[i].is_joint) notes_.front()[i].kernel->load(joint_grid(i));
    }
}

void JointLaunches::emit(Stream stream) const {
    for (size_t i = 0; i < steps_.size(); ++i) {
        const LaunchNote& first = notes_.front()[i];
        if (steps_[i].is_joint) {
            first.kernel->launch(joint_grid(i), stream, arguments_ + steps_[i].offset,
                                 static_cast<int32_t>(first.grid.blocks.z));
        } else {
            for (const auto& list : notes_) list[i].alone(stream);
        }
    }
}

std::string JointLaunches::apart() const {
    std::map<std::string, int> counts;
    for (size_t i = 0; i < steps_.size(); ++i) {
        if (!steps_[i].is_joint) ++counts[notes_.front()[i].name];
    }
    std::string text;
    for (const auto& [name, count] : counts) {
        text += text.empty() ? "" : ", ";
        text += count == 1 ? name : std::to_string(count) + " of " + name;
    }
    return text;
}

}  // namespace nativegrad::cuda
