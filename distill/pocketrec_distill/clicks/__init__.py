"""Click models: will this user click this item? Learned from impressions and item texts."""
