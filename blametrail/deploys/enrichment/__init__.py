"""What a deploy carries: asked of its code host by a job, kept, and shown with what is missing and how to mend it."""
