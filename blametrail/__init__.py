"""BlameTrail: which change broke it?"""
